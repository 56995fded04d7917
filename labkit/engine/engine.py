"""The engine: `add` requests, `step`, and read what each step emitted.

One step decides, then acts: plan, run, sample, settle. It is single-threaded: one
thread owns it, and nothing here waits. The invariant is that after every step a request
is either open or ended, and only open ones hold blocks, whatever went wrong in it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ListLike
from dataclasses import replace
from functools import cached_property

from labkit.clock import Clock
from labkit.config import EngineConfig
from labkit.engine.branch import choice, forked
from labkit.engine.plan import Plan, PlannedRow
from labkit.engine.request_registry import RequestRegistry
from labkit.engine.runner import Runner
from labkit.engine.sampler import Sampler, Scored
from labkit.engine.scheduler import Scheduler
from labkit.engine.speculative import Drafter, DraftStats, NgramDrafter, Speculator
from labkit.engine.step_recorder import Observer, StepRecorder
from labkit.engine.validation import refuse_crowds, refuse_unknown
from labkit.model.loaded import LoadedModel
from labkit.records import BlockView, CacheStats, EngineCounts, StepReport, TokenEvent
from labkit.sampling.pipeline import Watch
from labkit.sequence import FinishReason, SamplingParams
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer

__all__ = ["Engine"]


class Engine:
    """A model, its cache and its queues.

    A request without a seed gets one from `fresh_seed`. An end-of-text token ends a
    request without text and is not counted as usage. With `max_drafts` it speculates:
    by prompt lookup, or by what `drafter` makes of the runner. Its weights (`model`)
    and its keys and values (`kv`) are there to be looked at, not to be changed.
    """

    def __init__(
        self,
        model: LoadedModel,
        config: EngineConfig,
        clock: Clock,
        fresh_seed: Callable[[], int] | None = None,
        drafter: Callable[[Runner], Drafter] | None = None,
    ) -> None:
        self.config = config.resolve(model.config)
        self.model = model
        self.model_name = model.name
        self.tokenizer = Tokenizer.from_spec(model.tokenizer)
        self.device = model.decoder.device
        self._vocab_size = model.config.vocab_size
        self._clock = clock
        self._scheduler = Scheduler(self.config)
        self._runner = Runner(model.decoder, self.config)
        self.kv = self._runner.kv
        drafts = drafter(self._runner) if drafter else NgramDrafter()
        self._speculator = Speculator(drafts, self.config.max_drafts)
        self._registry = RequestRegistry(
            self._scheduler, self.tokenizer, self._vocab_size, clock, fresh_seed
        )
        self._sampler = Sampler(self._registry.open, self._vocab_size, self._speculator)
        self._scheduler.propose = self._sampler.propose
        self._recorder = StepRecorder(self._scheduler)
        self._boxes: dict[str, deque[TokenEvent]] = {}  # of requests being streamed

    @cached_property
    def template(self) -> ChatTemplate:
        """The model's own chat template; `WeightsError` for a model without one."""
        spec = self.model.tokenizer
        return ChatTemplate.from_spec(spec, self.tokenizer, self.model_name)

    @property
    def has_work(self) -> bool:
        """True while a `step()` has something to compute or to report."""
        return bool(self._registry.open or self._registry.pending_events)

    def counts(self) -> EngineCounts:
        """How full the engine is now."""
        return self._scheduler.counts()

    def check(self) -> None:
        """Assert the invariant that the module's opening states."""
        self._scheduler.check()
        self._registry.check()

    def cache_stats(self) -> CacheStats:
        """What the prefix cache was asked for and gave, since the engine began."""
        return self._scheduler.cache.stats()

    def draft_stats(self) -> DraftStats:
        """What was drafted since the engine began, and how much of it stood."""
        return self._speculator.stats()

    def block_views(self) -> tuple[BlockView, ...]:
        """Every block of the pool: who holds it, what is in it, its hash chain."""
        running = self._scheduler.running
        return self._scheduler.cache.views(
            {s.request: s.ids_between(0, s.num_computed) for s in running}
        )

    def reset_cache(self) -> bool:
        """Forget all cached prefixes; False, and nothing changes, while one runs."""
        return self._scheduler.cache.reset()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Show every step's report to `observer`; call the result to stop it."""
        return self._recorder.observe(observer)

    def add(
        self,
        prompt_ids: ListLike[int],
        params: SamplingParams,
        *,
        request: str | None = None,
        watch: Watch | None = None,
        salt: str | None = None,
    ) -> str:
        """Queue a request and return its id.

        `watch` is shown each of its sampling stages; it must not call the engine. Only
        requests with the same `salt` share cached blocks, or take time off each other.
        Refuses with `InputError`, `NeverFits` or `QueueFull`, then changes nothing.
        """
        sequence = self._registry.sequence(prompt_ids, params, request)
        sequence.salt = salt
        self._registry.require_room(sequence)
        self._registry.enqueue(sequence, watch)
        return sequence.request

    def add_choices(
        self, prompt_ids: ListLike[int], params: SamplingParams, n: int
    ) -> list[str]:
        """Queue `n` answers to one prompt, which is computed and kept once."""
        refuse_crowds(n, self.config.max_waiting)
        first = self._registry.sequence(prompt_ids, params, None)
        self._registry.require_room(first, n)
        self._registry.enqueue(first)
        for number in range(1, n):
            self._registry.enqueue(choice(first, self._registry.name(), number))
        return list(self._registry.open)[-n:]

    def fork(
        self,
        request: str,
        *,
        token_id: int | None = None,
        at: int | None = None,
        params: SamplingParams | None = None,
        name: str | None = None,
        watch: Watch | None = None,
    ) -> str:
        """Go on from output position `at` of a request, sharing its blocks till there.

        `token_id` is put there and is the fork's first event; without it one is drawn,
        with fresh noise unless `params` say otherwise. The request may be one of the
        last to have ended: what the cache still holds of it is not computed again.
        """
        parent = self._registry.find(request)
        if params is None:
            fresh = parent.params.seed if token_id is not None else None
            params = replace(parent.params, seed=fresh)
        if token_id is not None:
            refuse_unknown([token_id], self._vocab_size, "token_id")
        now_s, params = self._clock.now(), self._registry.seeded(params)
        sequence = forked(parent, self._registry.name(name), at, params, now_s)
        self._registry.require_room(sequence)
        self._registry.enqueue(sequence, watch)
        if token_id is not None:
            self._registry.force(sequence.request, token_id, self._recorder.num_steps)
        return sequence.request

    def abort(self, request: str) -> bool:
        """End an open request and free its blocks now; False if there is none.

        Its last event comes with the next step.
        """
        if request not in self._registry.open:
            return False
        self._registry.pending_events.append(self._cut(request, FinishReason.ABORT))
        return True

    def stream(
        self,
        prompt_ids: ListLike[int],
        params: SamplingParams,
        *,
        request: str | None = None,
        watch: Watch | None = None,
    ) -> Iterator[TokenEvent]:
        """Add a request and step until it ends, giving its events.

        Nothing happens before the first `next`, and closing the iterator ends the
        request at once. Several streams may be read in turn: a step taken for one
        brings all of them forward.
        """
        name = self.add(prompt_ids, params, request=request, watch=watch)
        box = self._boxes[name] = deque[TokenEvent]()
        try:
            while True:
                while box:
                    event = box.popleft()
                    yield event
                    if event.finish is not None:
                        return
                self.step()
        finally:
            del self._boxes[name]
            if name in self._registry.open:
                self._cut(name, FinishReason.ABORT)

    def step(self) -> StepReport:
        """Compute a token, or a part of the prompt, for every running sequence.

        A failure ends the requests of this step with `FinishReason.ERROR`, and the
        report's `error` says why; the engine goes on with the others.
        """
        stamps = [self._clock.now()]
        plan = self._scheduler.plan()
        emitted, self._registry.pending_events = self._registry.pending_events, []
        error = None
        try:
            if plan.rows:
                self._act(plan, emitted, stamps)
        except Exception as failure:
            number = self._recorder.num_steps
            logging.getLogger(__name__).exception("step %d failed", number)
            error = f"{type(failure).__name__}: {failure}"
            hit = [
                row.request for row in plan.rows if row.request in self._registry.open
            ]
            emitted += [self._cut(request, FinishReason.ERROR) for request in hit]
        return self._report(plan, emitted, stamps, error)

    def _act(self, plan: Plan, emitted: list[TokenEvent], stamps: list[float]) -> None:
        """Carry out `plan`: copy, run, sample, settle; stamp the moments in between."""
        self._runner.copy(plan)
        plan = self._speculator.fill(plan)
        logits = self._runner.run(plan)  # [scored tokens, vocab]
        stamps.append(self._clock.now())
        chosen = self._sampler.sample(plan, logits)
        stamps.append(self._clock.now())
        for row in plan.unfinished:
            self._scheduler.advance(row)
        for row, tokens in zip(plan.sampled, chosen, strict=True):
            emitted += self._settle(row, tokens, stamps[-1])

    def _settle(
        self, row: PlannedRow, chosen: list[Scored], time_s: float
    ) -> list[TokenEvent]:
        """Give a row its new tokens, up to the one that ends it; their events."""
        processor = self._registry.open[row.request]
        events, token_ids = list[TokenEvent](), []
        step = self._recorder.num_steps
        for token_id, logprob, top in chosen:
            events.append(processor.emit(token_id, step, time_s, logprob, top))
            token_ids.append(token_id)
            if events[-1].finish is not None:
                break
        sequence = self._scheduler.advance(row, *token_ids)
        if events[-1].finish is not None:
            self._registry.close(sequence, events[-1].finish)
            self._speculator.forget(row.request)
        return events

    def _cut(self, request: str, reason: FinishReason) -> TokenEvent:
        self._speculator.forget(request)
        return self._registry.end_early(request, reason, self._recorder.num_steps)

    def _report(
        self,
        plan: Plan,
        emitted: list[TokenEvent],
        stamps: list[float],
        error: str | None,
    ) -> StepReport:
        """Count the step, hand its events to the streams, and put it on record."""
        stamps += [self._clock.now()] * (4 - len(stamps))
        if plan.rows:
            self._registry.pace.add(stamps[-1] - stamps[0])
        for event in emitted:
            if event.request in self._boxes:
                self._boxes[event.request].append(event)
        return self._recorder.record(plan, emitted, stamps, error)

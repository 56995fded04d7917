"""The engine: `add` requests, `step`, and read what each step emitted.

One step decides, then acts: plan, run, sample, settle. Every verb takes the engine's
one lock, so cells, widgets and servers may share an engine from any thread. The
invariant is that after every step a request is either open or ended, and only open
ones hold blocks, whatever went wrong in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ListLike
from dataclasses import replace
from functools import cached_property

from labkit.clock import Clock
from labkit.config import EngineConfig
from labkit.engine.branch import forked
from labkit.engine.fair_lock import FairLock
from labkit.engine.request_registry import RequestRegistry, refuse_unknown
from labkit.engine.runner import Runner
from labkit.engine.sampler import Sampler
from labkit.engine.scheduler import Scheduler
from labkit.engine.speculative import Drafter, DraftStats, NgramDrafter, Speculator
from labkit.engine.stepper import MAX_FAILED_STEPS, Observer, Stepper, StepRecorder
from labkit.errors import EngineBusy
from labkit.model.loaded import LoadedModel
from labkit.records import BlockView, CacheStats, EngineCounts, StepReport, TokenEvent
from labkit.sampling.pipeline import Watch
from labkit.sequence import FinishReason, SamplingParams
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer

__all__ = ["MAX_FAILED_STEPS", "Engine"]


class Engine:
    """A model, its cache and its queues.

    A request without a seed gets one from `fresh_seed`. An end-of-text token ends a
    request without text and is not counted as usage. With `max_drafts` it speculates:
    by prompt lookup, or by what `drafter` makes of the runner. Its weights (`model`)
    and its keys and values (`kv`) are there to be looked at, not to be changed.
    `with engine.lock:` keeps other threads out for several verbs in a row.
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
        self.model = model = model.computed_by(config.kernels)
        self.kernels = model.kernels  # "native" or "torch"
        self.model_name = model.name
        self.tokenizer = Tokenizer.from_spec(model.tokenizer)
        self.device = model.decoder.device
        self._vocab_size = model.config.vocab_size
        self._clock = clock
        self._scheduler = Scheduler(self.config)
        runner = Runner(model.decoder, self.config)
        self.kv = runner.kv
        self._registry = RequestRegistry(
            self._scheduler, self.tokenizer, self._vocab_size, clock, fresh_seed
        )
        drafts = drafter(runner) if drafter else NgramDrafter()
        self._speculator = Speculator(drafts, self.config.max_drafts)
        sampler = Sampler(self._registry.open, self._vocab_size, self._speculator)
        self._scheduler.propose = sampler.propose
        self._recorder = StepRecorder(self._scheduler)
        self._stepper = Stepper(
            clock,
            self._scheduler,
            self._registry,
            runner,
            sampler,
            self._speculator,
            self._recorder,
        )
        self.lock = FairLock()
        self._boxes: dict[str, deque[TokenEvent]] = {}  # of requests being streamed
        self._is_stepping = False
        self._to_abort: list[str] = []  # requests that were aborted during this step

    def __repr__(self) -> str:
        return f"<Engine {self.model.summary}; {self.config.num_blocks} blocks>"

    @cached_property
    def template(self) -> ChatTemplate:
        """The model's own chat template; `WeightsError` for a model without one."""
        spec = self.model.tokenizer
        return ChatTemplate.from_spec(spec, self.tokenizer, self.model_name)

    @property
    def has_work(self) -> bool:
        """True while a `step()` has something to compute or to report."""
        return bool(self._registry.open or self._registry.pending_events)

    @property
    def num_failed_steps(self) -> int:
        """Steps in a row, up to the last one, that have failed."""
        return self._stepper.num_failed_steps

    @property
    def is_dead(self) -> bool:
        """True once too many steps in a row have failed: nothing is taken any more."""
        return self._stepper.is_dead

    def counts(self) -> EngineCounts:
        """How full the engine is now."""
        with self.lock:
            return self._scheduler.counts()

    def check(self) -> None:
        """Assert the invariant that the module's opening states."""
        with self.lock:
            self._scheduler.check()
            self._registry.check()

    def cache_stats(self) -> CacheStats:
        """What the prefix cache was asked for and gave, since the engine began."""
        with self.lock:
            return self._scheduler.cache.stats()

    def draft_stats(self) -> DraftStats:
        """What was drafted since the engine began, and how much of it stood."""
        with self.lock:
            return self._speculator.stats()

    def block_views(self) -> tuple[BlockView, ...]:
        """Every block of the pool: who holds it, what is in it, its hash chain."""
        with self.lock:
            return self._scheduler.block_views()

    def reset_cache(self) -> bool:
        """Forget all cached prefixes; False, and nothing changes, while one runs."""
        with self.lock:
            return self._scheduler.cache.reset()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Show every step's report to `observer`; call the result to stop it.

        It is called during the step and may use every verb but those that step.
        """
        with self.lock:
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

        `watch` is shown each of its sampling stages, during the step; like an observer
        it must not step. Only requests with the same `salt` share cached blocks, or
        take time off each other. Refuses with `InputError`, `NeverFits`, `QueueFull` or
        `EngineDead`, then changes nothing.
        """
        with self.lock:
            self._stepper.require_life()
            sequence = self._registry.sequence(prompt_ids, params, request)
            sequence.salt = salt
            self._registry.require_room()
            return self._registry.enqueue(sequence, watch)

    def add_choices(
        self, prompt_ids: ListLike[int], params: SamplingParams, n: int
    ) -> list[str]:
        """Queue `n` answers to one prompt, which is computed and kept once."""
        with self.lock:
            self._stepper.require_life()
            return self._registry.enqueue_choices(prompt_ids, params, n)

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
        with self.lock:
            self._stepper.require_life()
            parent = self._registry.find(request)
            if params is None:
                fresh = parent.params.seed if token_id is not None else None
                params = replace(parent.params, seed=fresh)
            if token_id is not None:
                refuse_unknown([token_id], self._vocab_size, "token_id")
            now_s, params = self._clock.now(), self._registry.seeded(params)
            sequence = forked(parent, self._registry.name(name), at, params, now_s)
            self._registry.require_room()
            self._registry.enqueue(sequence, watch)
            if token_id is not None:
                step = self._recorder.num_steps
                self._registry.force(sequence.request, token_id, step)
            return sequence.request

    def abort(self, request: str) -> bool:
        """End an open request and free its blocks now; False if there is none.

        Its last event comes with the next step. During a step it ends with that step.
        """
        with self.lock:
            if request not in self._registry.open:
                return False
            if self._is_stepping:
                self._to_abort.append(request)
            else:
                event = self._stepper.end_early(request, FinishReason.ABORT)
                self._registry.pending_events.append(event)
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
        request at once. Several streams may be read in turn or in several threads: a
        step taken for one brings all of them forward.
        """
        box = deque[TokenEvent]()
        with self.lock:
            name = self.add(prompt_ids, params, request=request, watch=watch)
            self._boxes[name] = box
        try:
            while True:
                with self.lock:
                    if not box:
                        self.step()
                while box:
                    event = box.popleft()
                    yield event
                    if event.finish is not None:
                        return
        finally:
            self._close_box(name)

    def step(self) -> StepReport:
        """Compute a token, or a part of the prompt, for every running sequence.

        A failure ends the requests of this step with `FinishReason.ERROR`, and the
        report's `error` says why; the engine goes on with the others. A step has failed
        if it raised or if no row's logits were finite. After `MAX_FAILED_STEPS` of them
        in a row the engine `is_dead`: every open request ends, and no new one is taken.
        """
        with self.lock:
            if self._is_stepping:
                raise EngineBusy(
                    "a step was asked for from inside a step, by an observer or a "
                    "watch: note what is needed there, and step once step() is back"
                )
            self._is_stepping = True
            try:
                report = self._stepper.step()
                for event in report.emitted:
                    if event.request in self._boxes:
                        self._boxes[event.request].append(event)
                return report
            finally:
                self._is_stepping = False
                aborted, self._to_abort = self._to_abort, []
                for request in aborted:
                    self.abort(request)

    def _close_box(self, name: str) -> None:
        """A stream is read no more: its request ends, and nobody hears of it."""
        with self.lock:
            del self._boxes[name]
            if name not in self._registry.open:
                return
            if self._is_stepping:
                self._to_abort.append(name)
            else:
                self._stepper.end_early(name, FinishReason.ABORT)

"""The engine: `add` requests, `step`, and read what each step emitted.

One step decides, then acts: plan, run, sample, settle. It is single-threaded: one
thread owns it, and nothing here waits. The invariant is that after every step a request
is either open or ended, and only open ones hold blocks, whatever went wrong in it.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ListLike
from dataclasses import replace
from functools import cached_property
from itertools import count

from torch import Tensor

from labkit.clock import Clock
from labkit.config import EngineConfig
from labkit.engine.chat import chat_template
from labkit.engine.door import refuse_misfits
from labkit.engine.metrics import Pace
from labkit.engine.outlet import Outlet
from labkit.engine.plan import Plan
from labkit.engine.runner import Runner
from labkit.engine.scheduler import Scheduler
from labkit.errors import InputError
from labkit.model.kv_store import KVStore
from labkit.model.loaded import LoadedModel
from labkit.records import EngineCounts, StageView, StepReport, TokenEvent
from labkit.sampling.pipeline import Sampled, SamplingRows, Watch, sample
from labkit.sequence import FinishReason, SamplingParams, Sequence
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer

__all__ = ["Engine"]


class Engine:
    """A model, its cache and its queues.

    A request without a seed gets one from `fresh_seed`. An end-of-text token ends a
    request without text and is not counted as usage.
    """

    def __init__(
        self,
        model: LoadedModel,
        config: EngineConfig,
        clock: Clock,
        fresh_seed: Callable[[], int] | None = None,
    ) -> None:
        self.config = config.resolve(model.config)
        self._max_context = self.config.max_context or model.config.max_context
        self.model_name = model.name
        self.tokenizer = Tokenizer.from_spec(model.tokenizer)
        self.device = model.decoder.device
        self._model = model
        self._vocab_size = model.config.vocab_size
        self._clock = clock
        self._fresh_seed = fresh_seed or _fresh_seed
        self._scheduler = Scheduler(self.config)
        self._runner = Runner(model.decoder, self.config)
        self._pace = Pace()
        self._open: dict[str, Outlet] = {}  # requests that have not ended
        self._farewells: list[TokenEvent] = []  # last events of aborted requests
        self._boxes: dict[str, deque[TokenEvent]] = {}  # of requests being streamed
        self._names = (f"req-{number}" for number in count())
        self._num_steps = 0

    @property
    def model(self) -> LoadedModel:
        """The weights and what belongs to them, for whoever looks inside."""
        return self._model

    @property
    def kv(self) -> KVStore:
        """The tensors of keys and values; look, do not touch."""
        return self._runner.kv

    @cached_property
    def template(self) -> ChatTemplate:
        """The model's own chat template; `WeightsError` for a model without one."""
        return chat_template(self._model, self.tokenizer)

    @property
    def has_work(self) -> bool:
        """True while a `step()` has something to compute or to report."""
        return bool(self._open or self._farewells)

    def counts(self) -> EngineCounts:
        """How full the engine is now."""
        return self._scheduler.counts()

    def check(self) -> None:
        """Assert the invariant that the module's opening states."""
        self._scheduler.check()
        queued = {sequence.request for sequence in self._scheduler.sequences()}
        assert queued == self._open.keys(), f"open {self._open.keys()}, queued {queued}"

    def add(
        self,
        prompt_ids: ListLike[int],
        params: SamplingParams,
        *,
        request: str | None = None,
        watch: Watch | None = None,
    ) -> str:
        """Queue a request and return its id.

        `watch` is shown each of its sampling stages; it must not call the engine.
        Refuses with `InputError`, `NeverFits` or `QueueFull`, then changes nothing.
        """
        name = request or next(n for n in self._names if n not in self._open)
        if name in self._open or any(name == last.request for last in self._farewells):
            raise InputError(f"request id {name!r} is in use: choose another")
        refuse_misfits(prompt_ids, params, self._vocab_size, self._max_context)
        if params.seed is None:
            params = replace(params, seed=self._fresh_seed())
        sequence = Sequence(name, tuple(prompt_ids), params, self._clock.now())
        if not self._scheduler.has_room(sequence):
            raise self._pace.refusal(self._scheduler, self._max_context)
        self._scheduler.add(sequence)
        self._open[name] = Outlet(sequence, self.tokenizer, self._max_context, watch)
        return name

    def abort(self, request: str) -> bool:
        """End an open request and free its blocks now; False if there is none.

        Its last event comes with the next step.
        """
        if request not in self._open:
            return False
        self._farewells.append(self._cut(request, FinishReason.ABORT))
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
            if name in self._open:
                self._cut(name, FinishReason.ABORT)

    def step(self) -> StepReport:
        """Compute a token, or a part of the prompt, for every running sequence.

        A failure ends the requests of this step with `FinishReason.ERROR`, and the
        report's `error` says why; the engine goes on with the others.
        """
        stamps = [self._clock.now()]
        plan = self._scheduler.plan()
        emitted, self._farewells = self._farewells, []
        error = None
        try:
            if plan.rows:
                self._act(plan, emitted, stamps)
        except Exception as failure:
            logging.getLogger(__name__).exception("step %d failed", self._num_steps)
            error = f"{type(failure).__name__}: {failure}"
            open_rows = [row for row in plan.rows if row.request in self._open]
            emitted += [self._cut(r.request, FinishReason.ERROR) for r in open_rows]
        return self._report(plan, emitted, stamps, error)

    def _act(self, plan: Plan, emitted: list[TokenEvent], stamps: list[float]) -> None:
        """Carry out `plan`: run, sample, settle; stamp the moments in between."""
        logits = self._runner.run(plan)  # [sampled rows, vocab]
        stamps.append(self._clock.now())
        sampled = self._sample(plan, logits)
        stamps.append(self._clock.now())
        for row in plan.unfinished:
            self._scheduler.advance(row)
        chosen = zip(sampled.token_ids, sampled.logprobs, sampled.tops, strict=True)
        for row, (token_id, logprob, top) in zip(plan.sampled, chosen, strict=True):
            sequence = self._scheduler.advance(row, token_id)
            event = self._open[row.request].emit(self._num_steps, stamps[-1])
            emitted.append(replace(event, logprob=logprob, top=top))
            if event.finish is not None:
                self._close(sequence, event.finish)

    def _sample(self, plan: Plan, logits: Tensor) -> Sampled:
        """One token for every row of `plan.sampled`, shown to whoever watches."""
        if not plan.sampled:
            return Sampled([], [], [])
        outlets = [self._open[row.request] for row in plan.sampled]
        watched = {o.sequence.request for o in outlets if o.watch is not None}
        sequences = [outlet.sequence for outlet in outlets]
        rows = SamplingRows.build(sequences, self._vocab_size, self.device, watched)
        return sample(logits, rows, self._show)

    def _show(self, request: str, view: StageView) -> None:
        watch = self._open[request].watch
        assert watch is not None, f"{request} is shown but nobody watches it"
        watch(request, view)

    def _cut(self, request: str, reason: FinishReason) -> TokenEvent:
        """End an open request before its time and free its blocks."""
        outlet = self._open[request]
        self._close(outlet.sequence, reason)
        return outlet.farewell(reason, self._num_steps, self._clock.now())

    def _close(self, sequence: Sequence, reason: FinishReason) -> None:
        self._scheduler.finish(sequence, reason)
        del self._open[sequence.request]

    def _report(
        self,
        plan: Plan,
        emitted: list[TokenEvent],
        stamps: list[float],
        error: str | None,
    ) -> StepReport:
        """Count the step, hand its events to the streams, and put it on record."""
        ended_s = self._clock.now()
        started_s, computed_s, sampled_s = (*stamps, ended_s, ended_s)[:3]
        if plan.rows:
            self._pace.add(ended_s - started_s)
        for event in emitted:
            if event.request in self._boxes:
                self._boxes[event.request].append(event)
        self._num_steps += 1
        return StepReport(
            index=self._num_steps - 1,
            scheduled=tuple(row.part for row in plan.rows),
            blocks=self._scheduler.blocks(),
            num_running=len(self._scheduler.running),
            num_waiting=self._scheduler.num_waiting,
            emitted=tuple(emitted),
            started_s=started_s,
            computed_s=computed_s,
            sampled_s=sampled_s,
            ended_s=ended_s,
            error=error,
        )


def _fresh_seed() -> int:
    return secrets.randbits(63)

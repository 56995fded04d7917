"""The requests of one engine: those that are open, and the last few that have ended.

It checks, queues and ends requests, and computes nothing. What no waiting could serve
is refused at once, so that it blocks nobody. A refusal changes nothing.
The invariant is that a request is open if and only if the scheduler has its sequence.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Sequence as ListLike
from dataclasses import replace
from itertools import count

from labkit.clock import Clock
from labkit.engine.branch import choice
from labkit.engine.output_processor import OutputProcessor
from labkit.engine.scheduler import Scheduler, worst_case_tokens
from labkit.errors import InputError, NeverFits, QueueFull
from labkit.records import TokenEvent
from labkit.sampling.pipeline import Watch
from labkit.sequence import FinishReason, SamplingParams, Sequence
from labkit.text.tokenizer import Tokenizer

__all__ = ["RequestRegistry", "refuse_crowds", "refuse_misfits", "refuse_unknown"]

NUM_REMEMBERED = 64  # ended requests that may still be forked
NEWEST_SHARE = 0.1  # weight of the newest step in the mean duration of steps
SHORTEST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0


class RequestRegistry:
    """One engine's requests, by id."""

    def __init__(
        self,
        scheduler: Scheduler,
        tokenizer: Tokenizer,
        vocab_size: int,
        clock: Clock,
        fresh_seed: Callable[[], int] | None,
    ) -> None:
        self.open: dict[str, OutputProcessor] = {}
        self.pending_events: list[TokenEvent] = []  # events that the next step reports
        self.mean_step_s: float | None = None  # a moving mean; None before any step
        self._scheduler = scheduler
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._clock = clock
        self._fresh_seed = fresh_seed or (lambda: secrets.randbits(63))
        self._ended: OrderedDict[str, Sequence] = OrderedDict()  # the newest few
        self._names = (f"req-{number}" for number in count())

    def name(self, wish: str | None = None) -> str:
        """An id that no request has: `wish`, or one made up."""
        taken = self.open.keys() | {event.request for event in self.pending_events}
        if wish in taken:
            raise InputError(f"request id {wish!r} is in use: choose another")
        return wish or next(name for name in self._names if name not in taken)

    def sequence(
        self, prompt_ids: ListLike[int], params: SamplingParams, request: str | None
    ) -> Sequence:
        """A new sequence, if such a one can ever be served."""
        name = self.name(request)
        limit = self._scheduler.max_context
        refuse_misfits(prompt_ids, params, self._vocab_size, limit)
        prompt = tuple(prompt_ids)
        return Sequence(name, prompt, self.seeded(params), self._clock.now())

    def seeded(self, params: SamplingParams) -> SamplingParams:
        """The same knobs with a seed."""
        if params.seed is not None:
            return params
        return replace(params, seed=self._fresh_seed())

    def require_room(self, num: int = 1) -> None:
        """Raise `QueueFull` where `num` sequences cannot be queued now."""
        if not self._scheduler.has_room(num):
            raise self._queue_full()

    def enqueue(self, sequence: Sequence, watch: Watch | None = None) -> str:
        """Queue a sequence that there is room for; its request's id."""
        limit = self._scheduler.max_context
        processor = OutputProcessor(sequence, self._tokenizer, limit, watch)
        self.open[sequence.request] = processor
        self._scheduler.add(sequence)
        return sequence.request

    def enqueue_choices(
        self, prompt_ids: ListLike[int], params: SamplingParams, n: int
    ) -> list[str]:
        """Queue `n` answers to one prompt, all of them or none; their ids."""
        refuse_crowds(n, self._scheduler.most_open)
        first = self.sequence(prompt_ids, params, None)
        self.require_room(n)
        names = [self.enqueue(first)]
        for number in range(1, n):
            names.append(self.enqueue(choice(first, self.name(), number)))
        return names

    def force(self, request: str, token_id: int, step: int) -> None:
        """Make `token_id` the next token of a request that nothing has run of yet."""
        processor = self.open[request]
        event = processor.emit(token_id, step, self._clock.now())
        self.pending_events.append(event)
        processor.sequence.output_ids.append(token_id)
        if event.finish is not None:
            self.close(processor.sequence, event.finish)

    def find(self, request: str) -> Sequence:
        """An open sequence, or one of the last that ended."""
        if request in self.open:
            return self.open[request].sequence
        if request in self._ended:
            return self._ended[request]
        raise InputError(
            f"request {request!r} is not open and not one of the last "
            f"{NUM_REMEMBERED} that ended: fork it earlier",
            param="request",
        )

    def end_early(self, request: str, reason: FinishReason, step: int) -> TokenEvent:
        """End an open request before its time and free its blocks; its last event."""
        processor = self.open[request]
        self.close(processor.sequence, reason)
        return processor.end_early(reason, step, self._clock.now())

    def close(self, sequence: Sequence, reason: FinishReason) -> None:
        """A sequence has ended: free its blocks, remember it for a while."""
        self._scheduler.finish(sequence, reason)
        del self.open[sequence.request]
        self._ended[sequence.request] = sequence
        self._ended.move_to_end(sequence.request)
        if len(self._ended) > NUM_REMEMBERED:
            self._ended.popitem(last=False)

    def note_duration(self, step_s: float) -> None:
        """Count one step that took `step_s` seconds."""
        before = step_s if self.mean_step_s is None else self.mean_step_s
        self.mean_step_s = before + NEWEST_SHARE * (step_s - before)

    def check(self) -> None:
        """Assert the invariant that the module's opening states."""
        queued = {sequence.request for sequence in self._scheduler.sequences()}
        assert queued == self.open.keys(), f"open {self.open.keys()}, queued {queued}"

    def _queue_full(self) -> QueueFull:
        """Refuse, and say when the first running sequence is expected to be done.

        An estimate, held within 1 and 60 s: each is taken to use up its max_tokens.
        """
        running, limit = self._scheduler.running, self._scheduler.max_context
        steps = [worst_case_tokens(s, limit) - s.num_tokens for s in running]
        wait_s = min(steps, default=0) * (self.mean_step_s or 0.0)
        wait_s = min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)
        return QueueFull(
            f"{len(self._scheduler.waiting)} requests wait already, {len(running)} "
            f"run: try again in {wait_s:.0f} s",
            retry_after_s=wait_s,
        )


def refuse_misfits(
    prompt_ids: ListLike[int],
    params: SamplingParams,
    vocab_size: int,
    max_context: int,
) -> None:
    """Raise `InputError` or `NeverFits` for a prompt or knobs that cannot work."""
    if not prompt_ids:
        raise InputError(
            "the prompt has no tokens: give at least one", param="messages"
        )
    if len(prompt_ids) >= max_context:
        raise NeverFits(
            f"the prompt has {len(prompt_ids)} tokens; prompt and answer together have "
            f"room for {max_context}: shorten the prompt to {max_context - 1} or less",
            param="messages",
        )
    refuse_unknown(prompt_ids, vocab_size, "messages")
    refuse_unknown([token for token, _ in params.logit_bias], vocab_size, "logit_bias")


def refuse_unknown(ids: ListLike[int], vocab_size: int, param: str) -> None:
    """Raise `InputError` for the first token id that the model does not have."""
    for token_id in ids:
        if not 0 <= token_id < vocab_size:
            raise InputError(
                f"{param}: token id {token_id} is not in the vocabulary; "
                f"use 0 to {vocab_size - 1}",
                param=param,
            )


def refuse_crowds(n: int, most: int) -> None:
    """Raise `NeverFits` for more answers at once than can run and wait together."""
    if not 1 <= n <= most:
        raise NeverFits(
            f"n={n}: at most {most} requests can run and wait together: "
            f"ask for 1 to {most}",
            param="n",
        )

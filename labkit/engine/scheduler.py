"""Decides what each step computes: two queues, the cache, one `Plan` per step.

First come, first served. A sequence is admitted once its known tokens have blocks and
every running one has a block to spare; it then grows block by block. When none is left
the newest one is thrown out and starts again later, so the oldest always gets on and
nobody starves. The invariants are that only running sequences hold blocks, and that
whoever runs came before whoever waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from labkit.cache.manager import CacheManager
from labkit.config import EngineConfig
from labkit.engine.plan import Plan, PlannedRow
from labkit.engine.policy import Policy, Turn, policy_named
from labkit.records import BlockView, EngineCounts, ScheduledSlice
from labkit.sequence import FinishReason, Sequence, SequenceState

__all__ = ["Propose", "Scheduler", "worst_case_tokens"]

Propose = Callable[[Sequence, int, int], tuple[int, ...]]  # at most, number running
Copies = tuple[tuple[int, int], ...]


def worst_case_tokens(sequence: Sequence, max_context: int) -> int:
    """The most tokens it can reach: prompt and max_tokens, within the context."""
    wish = len(sequence.prompt_ids) + sequence.params.max_tokens
    return min(wish, max_context)


@dataclass(slots=True)
class _Draft:
    """A plan while it is being made."""

    budget: int  # tokens left
    num_unserved: int  # running sequences that have had no turn yet
    rows: dict[str, PlannedRow] = field(default_factory=dict)
    admitted: list[str] = field(default_factory=list)
    preempted: list[str] = field(default_factory=list)


class Scheduler:
    """Holds the queues; `plan()` admits, the other verbs report what came of it."""

    def __init__(self, config: EngineConfig, policy: Policy | None = None) -> None:
        assert config.max_context is not None, "resolve() the EngineConfig first"
        self.cache = CacheManager(
            config.num_blocks, config.block_size, is_caching=config.prefix_caching
        )
        self._config = config
        self.max_context = config.max_context
        # at least one token a step for everyone who runs, so that none starves
        self._num_seats = min(config.max_running, config.max_step_tokens)
        self._policy = policy or policy_named(config.policy)
        self.propose: Propose | None = None  # guesses tokens, up to `max_drafts` a step
        self._waiting: deque[Sequence] = deque()
        self._running: dict[str, Sequence] = {}  # in order of arrival

    @property
    def running(self) -> tuple[Sequence, ...]:
        """Sequences that hold blocks, longest-running first."""
        return tuple(self._running.values())

    @property
    def waiting(self) -> tuple[Sequence, ...]:
        """Sequences in the queue, first in line first."""
        return tuple(self._waiting)

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The requests of `running` and of `waiting`."""
        return tuple(self._running), tuple([s.request for s in self._waiting])

    def sequences(self) -> tuple[Sequence, ...]:
        """All sequences that have not ended: the running ones, then the queue."""
        return (*self.running, *self.waiting)

    def counts(self) -> EngineCounts:
        """How full pool and queues are now; blocks kept for reuse count as free."""
        return EngineCounts(
            free_blocks=self.cache.num_free,
            total_blocks=self._config.num_blocks,
            num_running=len(self._running),
            num_waiting=len(self._waiting),
            max_waiting=self._config.max_waiting,
        )

    @property
    def most_open(self) -> int:
        """Sequences that may run and wait together."""
        return self._num_seats + self._config.max_waiting

    def block_views(self) -> tuple[BlockView, ...]:
        """Every block of the pool, with the tokens that are in it."""
        return self.cache.views(
            {s.request: s.ids_between(0, s.num_computed) for s in self.running}
        )

    def has_room(self, num: int = 1) -> bool:
        """True if `num` more may be queued.

        `max_waiting` counts only those that no seat is free for.
        """
        return len(self._running) + len(self._waiting) + num <= self.most_open

    def add(self, sequence: Sequence) -> None:
        """Queue `sequence` behind all others."""
        self._waiting.append(sequence)

    def plan(self) -> Plan:
        """Decide the next step, in the policy's order; new sequences get blocks here.

        What exceeds the token budget is computed in parts, over several steps.
        """
        draft = _Draft(self._config.max_step_tokens, len(self._running))
        prompts, decodes = list[Sequence](), list[Sequence]()
        for sequence in self._running.values():
            (prompts if sequence.is_prefilling else decodes).append(sequence)
        served = {Turn.PROMPTS: prompts, Turn.DECODES: decodes}
        for turn in self._policy.turns:
            if turn is Turn.ARRIVALS and self._waiting:
                self._admit(draft)
            for sequence in served.get(turn, ()):
                self._serve(sequence, draft)
        rows = tuple(draft.rows.values())
        return Plan(
            rows,
            tuple(draft.admitted),
            self._config.max_step_tokens,
            len(self._waiting),
            self.cache.counts(),
            tuple(draft.preempted),
            tuple([pair for row in rows for pair in row.copies]),
        )

    def advance(self, row: PlannedRow, *token_ids: int) -> Sequence:
        """Note that `row` was computed and, if it was sampled, which tokens it got.

        That is one, and before it as many of its drafts as were right.
        """
        assert row.is_sampled == bool(token_ids), f"{row} got {token_ids}"
        sequence, size = self._running[row.part.request], self._config.block_size
        num_full = sequence.num_computed // size
        num_wrong = len(row.draft_ids) - max(0, len(token_ids) - 1)
        sequence.num_computed += row.part.num_tokens - num_wrong
        sequence.output_ids += token_ids
        if sequence.num_computed // size > num_full:
            ids = sequence.ids_between(0, sequence.num_computed)
            self.cache.commit(sequence.request, ids, sequence.num_computed)
        if num_wrong:
            self.cache.shrink(sequence.request, sequence.num_tokens)
        return sequence

    def finish(self, sequence: Sequence, reason: FinishReason) -> None:
        """End `sequence`, wherever it is, and free its blocks at once."""
        if self._running.pop(sequence.request, None):
            self.cache.free(sequence.request)
        else:
            self._waiting.remove(sequence)
        sequence.end(reason)

    def check(self) -> None:
        """Assert the invariants that the module's opening states."""
        self.cache.check()
        tables = [self.cache.tables[name].blocks for name in self._running]
        held = {block for table in tables for block in table}
        assert len(held) == self.cache.counts().held, "blocks are held by no sequence"
        assert len(self._running) <= self._num_seats, "more sequences than seats"
        arrivals = [sequence.arrival_s for sequence in self.sequences()]
        assert arrivals == sorted(arrivals), "somebody was overtaken"
        for sequence in self.sequences():
            sequence.check()
            assert not sequence.is_finished, f"{sequence.request} ended but is queued"

    def _admit(self, draft: _Draft) -> None:
        """Admit waiting sequences in order while tokens, seats and blocks are left."""
        while self._waiting and len(self._running) < self._num_seats and draft.budget:
            sequence = self._waiting[0]
            if (draft.preempted and self._running) or not self._enter(sequence):
                break
            self._waiting.popleft()
            self._running[sequence.request] = sequence
            sequence.state, sequence.parent = SequenceState.RUNNING, None
            if not sequence.num_preemptions:
                found = min(sequence.num_computed, len(sequence.prompt_ids))
                sequence.num_cached = found
            draft.admitted.append(sequence.request)
            draft.num_unserved += 1
            self._serve(sequence, draft)

    def _enter(self, sequence: Sequence) -> bool:
        """Hold the cached blocks of `sequence`, and new ones for its other tokens."""
        if self.cache.num_free <= len(self._running):
            return False  # it needs a block, and one to spare for each who runs
        parent = sequence.parent
        if parent and self._running.get(parent.request) is parent:
            return self._share(sequence, parent)
        cached = self.cache.admit(
            sequence.request,
            sequence.ids_between(0, sequence.num_tokens),
            sequence.num_tokens,
            salt=sequence.salt,
            spare=len(self._running),
        )
        if cached is not None and not sequence.num_preemptions:
            self.cache.count_query(sequence.num_tokens, cached)
        sequence.num_computed = cached or 0
        return cached is not None

    def _share(self, sequence: Sequence, parent: Sequence) -> bool:
        """Hold the blocks of a running parent, once it has computed what is shared."""
        if parent.is_prefilling:
            return False
        sequence.num_computed = min(parent.num_computed, sequence.num_shared)
        self.cache.fork(parent.request, sequence.request, sequence.num_computed)
        return True

    def _serve(self, sequence: Sequence, draft: _Draft) -> None:
        """Plan tokens of `sequence`; where blocks are too few, preempt the newest."""
        draft.num_unserved -= 1
        if sequence.state is not SequenceState.RUNNING or not draft.budget:
            return
        start, name = sequence.num_computed, sequence.request
        end = min(sequence.num_tokens, start + draft.budget)
        while (copies := self.cache.reserve(name, start, end)) is None:
            newest = next(reversed(self._running.values()))
            self._preempt(newest, draft)
            if newest is sequence:
                return
        guesses: tuple[int, ...] = ()
        if self._config.max_drafts:
            guesses = self._guesses(sequence, end, draft)
        row = self._row(sequence, end, guesses, copies)
        if name in draft.admitted:
            row = replace(row, num_cached=start)
        draft.rows[name] = row
        draft.budget -= end - start + len(guesses)

    def _preempt(self, sequence: Sequence, draft: _Draft) -> None:
        """Preempt by recompute: it keeps its tokens, loses its blocks, queues first."""
        self.cache.free(sequence.request)
        del self._running[sequence.request]
        sequence.state, sequence.num_computed = SequenceState.WAITING, 0
        sequence.num_preemptions += 1
        self._waiting.appendleft(sequence)
        draft.preempted.append(sequence.request)
        row = draft.rows.pop(sequence.request, None)
        draft.budget += row.part.num_tokens if row else 0

    def _guesses(self, sequence: Sequence, end: int, draft: _Draft) -> tuple[int, ...]:
        """Draft tokens, only from tokens and blocks that no other sequence needs."""
        if self.propose is None or end < sequence.num_tokens or sequence.is_prefilling:
            return ()
        last = worst_case_tokens(sequence, self.max_context) - 1  # needs no draft
        room = draft.budget - 1 - draft.num_unserved
        most = min(self._config.max_drafts, last - end, room)
        guesses = self.propose(sequence, most, len(self._running)) if most > 0 else ()
        assert len(guesses) <= max(0, most), f"{len(guesses)} drafts of {most} at most"
        stop = end + len(guesses)
        if guesses and self.cache.reserve(sequence.request, end, stop) != ():
            self.cache.shrink(sequence.request, end)
            return ()
        return guesses

    def _row(
        self, sequence: Sequence, end: int, guesses: tuple[int, ...], copies: Copies
    ) -> PlannedRow:
        start, stop = sequence.num_computed, end + len(guesses)
        table, num_prompt = (
            self.cache.tables[sequence.request],
            len(sequence.prompt_ids),
        )
        known = num_prompt + len(sequence.output_ids)
        is_prefill = start < max(num_prompt, known - 1)
        return PlannedRow(
            part=ScheduledSlice(sequence.request, start, stop - start, is_prefill),
            token_ids=(*sequence.ids_between(start, end), *guesses),
            write_slots=tuple(table.slots(start, stop)),
            blocks=tuple(table.blocks[: -(-stop // table.block_size)]),
            is_sampled=end == known,
            draft_ids=guesses,
            copies=copies,
        )

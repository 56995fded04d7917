"""Who computes what in the next step: two queues, a pool of blocks, one `Plan` a step.

First come, first served. A sequence is admitted once blocks for all that it may ever
need are free (`worst_case_tokens`), so none runs out half-way and none is thrown out.
The invariant is that blocks are held by running sequences only, each block by one.
"""

from __future__ import annotations

from collections import deque

from labkit.cache.block_pool import BlockPool
from labkit.cache.block_table import BlockTable
from labkit.config import EngineConfig
from labkit.engine.plan import Plan, PlannedRow
from labkit.records import BlockCounts, EngineCounts, ScheduledSlice
from labkit.sequence import FinishReason, Sequence, SequenceState

__all__ = ["Scheduler", "worst_case_tokens"]


def worst_case_tokens(sequence: Sequence, max_context: int) -> int:
    """Tokens to reserve at admission: prompt and max_tokens, within the context."""
    wish = len(sequence.prompt_ids) + sequence.params.max_tokens
    return min(wish, max_context)


class Scheduler:
    """Holds the queues; `plan()` admits, the other verbs report what came of it."""

    def __init__(self, config: EngineConfig) -> None:
        assert config.max_context is not None, "resolve() the EngineConfig first"
        self._config = config
        self._max_context = config.max_context
        self._pool = BlockPool(config.num_blocks)
        self._tables: dict[str, BlockTable] = {}  # of running sequences
        self._waiting: deque[Sequence] = deque()
        self._running: dict[str, Sequence] = {}  # in order of admission

    @property
    def num_waiting(self) -> int:
        """Sequences that hold nothing yet."""
        return len(self._waiting)

    @property
    def running(self) -> tuple[Sequence, ...]:
        """Sequences that hold blocks, longest-running first."""
        return tuple(self._running.values())

    def sequences(self) -> tuple[Sequence, ...]:
        """All sequences that have not ended: the running ones, then the queue."""
        return (*self._running.values(), *self._waiting)

    def blocks(self) -> BlockCounts:
        """The pool by what its blocks are doing."""
        return self._pool.counts()

    def counts(self) -> EngineCounts:
        """How full pool and queues are now."""
        blocks = self.blocks()
        return EngineCounts(
            free_blocks=blocks.free,
            total_blocks=blocks.total,
            num_running=len(self._running),
            num_waiting=self.num_waiting,
            max_waiting=self._config.max_waiting,
        )

    def has_room(self, sequence: Sequence) -> bool:
        """True if the queue takes one more, or if `sequence` need not queue at all."""
        if self.num_waiting < self._config.max_waiting:
            return True
        return not self._waiting and self._fits(sequence)

    def add(self, sequence: Sequence) -> None:
        """Queue `sequence` behind all others."""
        self._waiting.append(sequence)

    def plan(self) -> Plan:
        """Decide the next step: decodes first, then prompts, then new arrivals.

        A prompt that exceeds what is left of the token budget is computed in parts.
        The admitted sequences take their blocks here.
        """
        budget = self._config.max_step_tokens
        rows: list[PlannedRow] = []
        for sequence in sorted(self.running, key=lambda s: s.is_prefilling):
            if budget > 0:
                rows.append(self._row(sequence, budget))
                budget -= rows[-1].part.num_tokens
        admitted = []
        while budget > 0 and self._waiting and self._fits(self._waiting[0]):
            sequence = self._admit(self._waiting.popleft())
            admitted.append(sequence.request)
            rows.append(self._row(sequence, budget))
            budget -= rows[-1].part.num_tokens
        return Plan(
            tuple(rows),
            tuple(admitted),
            self._config.max_step_tokens,
            self.num_waiting,
            self.blocks(),
        )

    def advance(self, row: PlannedRow, token_id: int | None = None) -> Sequence:
        """Note that `row` was computed and, if it was sampled, which token it got."""
        assert row.is_sampled == (token_id is not None), f"{row} got {token_id}"
        sequence = self._running[row.request]
        sequence.num_computed += row.part.num_tokens
        if token_id is not None:
            sequence.output_ids.append(token_id)
        return sequence

    def finish(self, sequence: Sequence, reason: FinishReason) -> None:
        """End `sequence`, wherever it is, and free its blocks at once."""
        if self._running.pop(sequence.request, None):
            self._pool.release(self._tables.pop(sequence.request).blocks)
        else:
            self._waiting.remove(sequence)
        sequence.end(reason)

    def check(self) -> None:
        """Assert the invariant that the module's opening states."""
        self._pool.check()
        assert self._tables.keys() == self._running.keys(), "tables without a sequence"
        held = [block for table in self._tables.values() for block in table.blocks]
        assert len(held) == self.blocks().held, "blocks are held by no sequence"
        assert all(self._pool.ref_count(block) == 1 for block in held), "shared block"
        assert len(self._running) <= self._num_seats, "more sequences than seats"
        for sequence in self.sequences():
            sequence.check()
            assert not sequence.is_finished, f"{sequence.request} ended but is queued"

    @property
    def _num_seats(self) -> int:
        """At least one token a step for everyone who runs, so that none starves."""
        return min(self._config.max_running, self._config.max_step_tokens)

    def _fits(self, sequence: Sequence) -> bool:
        has_seat = len(self._running) < self._num_seats
        return has_seat and self._num_blocks(sequence) <= self._pool.num_free

    def _num_blocks(self, sequence: Sequence) -> int:
        tokens = worst_case_tokens(sequence, self._max_context)
        return BlockTable(self._config.block_size).num_blocks_for(tokens)

    def _admit(self, sequence: Sequence) -> Sequence:
        blocks = self._pool.take(self._num_blocks(sequence))
        self._tables[sequence.request] = BlockTable(self._config.block_size, blocks)
        self._running[sequence.request] = sequence
        sequence.state = SequenceState.RUNNING
        return sequence

    def _row(self, sequence: Sequence, budget: int) -> PlannedRow:
        num_tokens = min(sequence.num_uncomputed, budget)
        start = sequence.num_computed
        end = start + num_tokens
        table = self._tables[sequence.request]
        return PlannedRow(
            part=ScheduledSlice(
                sequence.request, start, num_tokens, sequence.is_prefilling
            ),
            token_ids=tuple(sequence.ids_between(start, end)),
            write_slots=tuple(table.slots(start, end)),
            blocks=tuple(table.blocks[: table.num_blocks_for(end)]),
            is_sampled=end == sequence.num_tokens,
        )

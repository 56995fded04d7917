"""What the engine did in a step: what it computed, which tokens came of it."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.records.cache import BlockCounts, BlockEvent, CacheStats
from labkit.sequence import FinishReason

__all__ = ["EngineCounts", "ScheduledSlice", "StepReport", "TokenEvent"]


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One sampled token and the text that it released (often none, never half a char).

    The last event of a request carries `finish` and all text that was still held back;
    if a stop string ended it, `stop` is that string. An aborted request ends with an
    event whose `token_id` is None. `num_cached` is known from its first step on.
    """

    request: str
    step: int  # engine step that sampled it
    index: int  # place in the output, from 0
    token_id: int | None
    text: str
    time_s: float
    logprob: float | None = None  # natural log
    top: tuple[tuple[int, float], ...] = ()  # (token id, logprob), best first
    finish: FinishReason | None = None
    is_counted: bool = True  # False for an end-of-text token: not part of the usage
    stop: str | None = None  # the stop string that ended the request
    num_cached: int = 0  # prompt tokens that were found in the cache


@dataclass(frozen=True, slots=True)
class ScheduledSlice:
    """A run of one sequence's tokens that one step computes."""

    request: str
    start: int  # position of its first token
    num_tokens: int
    is_prefill: bool


@dataclass(frozen=True, slots=True)
class StepReport:
    """One engine step, enough to draw it; the four stamps are in order."""

    index: int
    scheduled: tuple[ScheduledSlice, ...]
    blocks: BlockCounts
    num_running: int
    num_waiting: int
    emitted: tuple[TokenEvent, ...]
    started_s: float
    computed_s: float  # logits are there
    sampled_s: float  # tokens are chosen
    ended_s: float  # text is decoded, sequences are settled
    error: str | None = None  # what made the step fail; its requests ended by it
    running: tuple[str, ...] = ()  # requests that hold blocks, longest-running first
    waiting: tuple[str, ...] = ()  # requests in the queue, first in line first
    preempted: tuple[str, ...] = ()  # thrown back into the queue in this step
    block_events: tuple[BlockEvent, ...] = ()  # recorded while somebody observes
    cache: CacheStats | None = None  # since the engine began


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """How full an engine is at this moment."""

    free_blocks: int
    total_blocks: int
    num_running: int
    num_waiting: int
    max_waiting: int

"""Frozen plain records: everything that crosses from one folder to another.

A record is made of numbers, strings and tuples; it can be printed, compared, saved as
JSON and drawn without torch, weights or a running engine. Times are seconds on the
clock of whoever made the record; `trace.py` says how clocks are brought together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labkit.sequence import FinishReason

__all__ = [
    "BlockCounts",
    "BlockEvent",
    "BlockEventKind",
    "BlockView",
    "Branch",
    "BranchToken",
    "CacheStats",
    "EngineCounts",
    "Faults",
    "Layer",
    "OrderView",
    "PoolFrame",
    "ScheduledSlice",
    "StageView",
    "StepReport",
    "StreamChunk",
    "TokenEvent",
    "TokenizerSpec",
    "Usage",
]


class Layer(StrEnum):
    """The twelve layers of a request's life, in the book's order (one a chapter)."""

    CLIENT = "client"
    NETWORK = "network"
    GATEWAY = "gateway"
    SAFETY = "safety"
    CONTEXT = "context"
    TOKENS = "tokens"
    CACHE = "cache"
    COMPUTE = "compute"  # prefill and decode
    SAMPLING = "sampling"
    STREAMING = "streaming"
    TOOLS = "tools"
    BILLING = "billing"

    @property
    def chapter(self) -> int:
        """Number of the chapter about this layer, 1 to 12."""
        return list(Layer).index(self) + 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request; `cached_tokens` are part of `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One sampled token and the text that it released (often none, never half a char).

    The last event of a request carries `finish` and all text that was still held back.
    An aborted request ends with an event whose `token_id` is None.
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


@dataclass(frozen=True, slots=True)
class StageView:
    """What one sampling stage did to one sequence's distribution."""

    name: str
    kept: int  # candidates still alive
    top: tuple[tuple[int, float], ...]  # (token id, probability), best first
    entropy: float  # nats
    moved: float  # total variation distance from the stage before, 0 to 1


@dataclass(frozen=True, slots=True)
class OrderView:
    """What one engine's order of stages makes of a distribution."""

    name: str
    stages: tuple[str, ...]  # in order
    kept: int  # candidates still alive
    top: tuple[tuple[int, float], ...]  # (token id, probability), best first
    entropy: float  # nats
    distances: tuple[float, ...]  # total variation to each of the orders compared


@dataclass(frozen=True, slots=True)
class BranchToken:
    """One token of a branch and what else could have stood there."""

    token_id: int
    logprob: float  # natural log
    top: tuple[tuple[int, float], ...]  # (token id, logprob), best first


@dataclass(frozen=True, slots=True)
class Branch:
    """A text that leaves its parent at one place of the output and goes its own way."""

    name: str
    parent: str | None  # None: it starts at the prompt
    start: int  # place in the output of its first own token
    tokens: tuple[BranchToken, ...]  # its own ones
    blocks: tuple[int, ...]  # hold its whole text, in order
    num_shared: int  # of the first blocks, also its parent's
    num_computed: int  # tokens that the model had to read for it


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Blocks of the pool by what they are doing; free + held + cached == total."""

    free: int
    held: int  # by live sequences
    cached: int  # kept for reuse, evictable
    total: int


@dataclass(frozen=True, slots=True)
class BlockView:
    """One block of the pool at one moment."""

    block: int
    ref_count: int  # holders; 0: free, or kept for reuse if it has a hash
    owners: tuple[str, ...]  # request ids
    num_filled: int  # slots in use
    token_ids: tuple[int, ...] = ()  # of the filled slots
    hash: str | None = None  # of a full block that may be hit, in hex
    parent: str | None = None  # hash of the block before it; None for a first one
    last_use: int = 0  # count of uses of the pool when it was last taken or hit


class BlockEventKind(StrEnum):
    """What happened to a block."""

    TAKE = "take"  # handed out for new tokens
    HIT = "hit"  # found by its hash and held once more
    HASH = "hash"  # full: from now on it may be hit
    EVICT = "evict"  # its hash is forgotten, for another use
    COPY = "copy"  # copied on write from `source`
    SHARE = "share"  # held once more by a fork
    FREE = "free"  # given back by one holder


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """One thing that happened to one block."""

    kind: BlockEventKind
    block: int
    request: str | None = None
    source: int | None = None  # the block copied from


@dataclass(frozen=True, slots=True)
class PoolFrame:
    """The whole pool after one engine step, and what happened in that step."""

    step: int
    blocks: tuple[BlockView, ...]
    events: tuple[BlockEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How often the prefix cache was asked, and what it gave, in tokens."""

    num_requests: int
    query_tokens: int
    hit_tokens: int

    @property
    def hit_rate(self) -> float | None:
        """Share of the asked tokens that were found; None before the first request."""
        return self.hit_tokens / self.query_tokens if self.query_tokens else None


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


@dataclass(frozen=True, slots=True)
class TokenizerSpec:
    """All that is needed to rebuild a model's tokenizer, without any I/O.

    Either `json` (a Hugging Face tokenizer.json) or the lists of a GGUF file are given.
    """

    eos_ids: tuple[int, ...]
    chat_template: str | None  # Jinja source
    bos_id: int | None = None
    json: str | None = None
    tokens: tuple[str, ...] = ()  # GGUF: vocabulary in byte-level characters
    token_types: tuple[int, ...] = ()  # GGUF: 1 normal, 3 control, 4 user defined
    merges: tuple[str, ...] = ()  # GGUF: "left right", best first
    pre: str = ""  # GGUF: name of the pre-tokenizer


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """One SSE event as a client got it, stamped on arrival.

    `kind` is one of role, content, finish, usage, done, comment, error, other.
    """

    index: int
    time_s: float  # since the request was sent
    kind: str
    raw: str  # the frame's text, blank line included
    text: str = ""  # visible text it adds
    token_ids: tuple[int, ...] = ()  # where the server reports them
    finish: FinishReason | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """What an unkind network does to a stream of bytes; the defaults do nothing."""

    chunk_bytes: int | None = None  # cut into pieces of this size
    split_utf8: bool = False  # cut inside every multi-byte character
    coalesce: int = 1  # join this many frames into one piece
    drop_at: int | None = None  # lose the connection after this many bytes
    stall_s: float = 0.0  # wait once, half-way
    duplicate_at: int | None = None  # send the frame of this number twice

"""What passes between the server and the one who owns the engine, as plain values.

Commands go down and news come up, each way in the order in which they were said, be it
inside one process or between two. Everything here can be pickled; what passes with
every token is pickled as its values: to read frozen dataclasses with slots Python would
make 37 calls more a token.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from labkit.errors import LabError
from labkit.records import EngineCounts, TokenEvent, TokenizerSpec
from labkit.sequence import SamplingParams
from server.backend.protocol import BackendState, Served
from server.outcomes import Advance

__all__ = [
    "Abort",
    "Add",
    "Admitted",
    "Command",
    "Dropped",
    "Loaded",
    "News",
    "Over",
    "Refused",
    "Stepped",
    "Stop",
]


@dataclass(frozen=True, slots=True)
class Add:
    """Queue a request; the answer is `Admitted` or `Refused`."""

    request: str
    prompt_ids: tuple[int, ...]
    params: SamplingParams


@dataclass(frozen=True, slots=True)
class Abort:
    """End a run before the next step; an unknown id is ignored."""

    request: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Abort all runs and end."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The engine is ready; `tokenizer` lets the other side write its own prompts."""

    served: Served
    tokenizer: TokenizerSpec
    counts: EngineCounts


@dataclass(frozen=True, slots=True)
class Admitted:
    """The engine has taken a request."""

    request: str
    counts: EngineCounts


@dataclass(frozen=True, slots=True)
class Refused:
    """The engine has not taken a request."""

    request: str
    error: LabError


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step is done: each request's part of it."""

    parts: Mapping[str, Advance]
    counts: EngineCounts


@dataclass(frozen=True, slots=True)
class Dropped:
    """A run has ended before its time: by an abort, or by `error`."""

    request: str
    error: LabError | None
    counts: EngineCounts


@dataclass(frozen=True, slots=True)
class Over:
    """There is no engine any more, or there never was one; nothing follows."""

    state: BackendState
    detail: str


Command = Add | Abort | Stop
News = Loaded | Admitted | Refused | Stepped | Dropped | Over


def _as_values(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """How to pickle a dataclass of two fields or more: what to call, and with what."""
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda record: (kind, values(record))


for _kind in (Stepped, Advance, TokenEvent, EngineCounts):
    copyreg.pickle(_kind, _as_values(_kind))

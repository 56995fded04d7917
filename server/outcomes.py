"""What one engine step did for a request, and how a whole run turned out.

Plain records of the server's own; no client sees them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labkit.records import TokenEvent

__all__ = ["Advance", "Outcome"]


class Outcome(StrEnum):
    """How a run ended; the closed set of labels that are counted."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    LEASE_EXPIRED = "lease_expired"
    CLIENT_CLOSED = "client_closed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Advance:
    """What one engine step did for one request; the four stamps are in order."""

    step: int
    start: int  # position of the first token computed
    num_tokens: int  # tokens computed
    started_s: float
    computed_s: float  # logits are there
    sampled_s: float  # tokens are chosen
    ended_s: float  # text is decoded
    events: tuple[TokenEvent, ...] = ()

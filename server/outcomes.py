"""How requests turn out; a closed set, so that it can label a count."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """How a request ended."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    LEASE_EXPIRED = "lease_expired"
    CLIENT_CLOSED = "client_closed"
    REFUSED = "refused"
    FAILED = "failed"

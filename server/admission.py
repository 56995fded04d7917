"""Who is let in, and who is in: a bounded number of requests, of a bounded size.

Everything is checked on the messages as they came, before anything is tokenised. A
request has a seat for as long as it is answered; whoever knows its id may end it or
renew its lease. A proxy hides that its client has left, so a client behind one asks for
a lease and renews it while it listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from labkit.dialects.events import ApiError, ChatRequest, Kind, Problem
from server.outcomes import Outcome

__all__ = ["Admission", "Seat", "require_size"]

RETRY_S = 1.0  # when to ask again while all seats are taken


class Seat:
    """One admitted request; `ended_by` says who cut it short, if anybody did."""

    def __init__(self, abort: Callable[[], None], lease_s: float | None) -> None:
        self.ended_by: Outcome | None = None
        self.lease_s = lease_s
        self._abort = abort
        self._timer: asyncio.TimerHandle | None = None
        self.renew()

    def renew(self) -> None:
        """Start the lease anew; nothing happens to a request without one."""
        self.release()
        if self.lease_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.lease_s, self.end, Outcome.LEASE_EXPIRED)

    def end(self, outcome: Outcome) -> None:
        """Have the request end; the first reason stays."""
        self.release()
        if self.ended_by is None:
            self.ended_by = outcome
            self._abort()

    def release(self) -> None:
        """Stop the lease's timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Admission:
    """All seats, by tenant and request: nobody finds another tenant's."""

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._seats: dict[tuple[str, str], Seat] = {}  # by tenant and request id

    @asynccontextmanager
    async def admit(
        self,
        tenant: str,
        request_id: str,
        abort: Callable[[], None],
        lease_s: float | None,
    ) -> AsyncIterator[Seat]:
        """A seat for as long as the block lasts; 429 where none is free."""
        if len(self._seats) >= self._max_requests:
            raise self._full()
        seat = self._seats[tenant, request_id] = Seat(abort, lease_s)
        try:
            yield seat
        finally:
            seat.release()
            del self._seats[tenant, request_id]

    def find(self, tenant: str, request_id: str) -> Seat | None:
        """The seat of a tenant's request; None where the tenant has no such request."""
        return self._seats.get((tenant, request_id))

    def _full(self) -> ApiError:
        text = (
            f"{len(self._seats)} requests are being answered or wait: "
            f"try again in {RETRY_S:.0f} s"
        )
        problem = Problem(
            429,
            text,
            Kind.RATE_LIMIT,
            code="server_overloaded",
            retry_after_s=RETRY_S,
        )
        return ApiError(problem)


def require_size(
    chat: ChatRequest, max_context: int, max_token_chars: int | None
) -> None:
    """Refuse messages that no tokenizer could fit into `max_context` tokens."""
    num_messages = len(chat.messages)
    if num_messages >= max_context:  # each takes a token at least
        raise _too_long(f"there are {num_messages} messages", max_context)
    num_chars = sum(len(message.text) for message in chat.messages)
    if max_token_chars is not None and num_chars > max_context * max_token_chars:
        most = f"{num_chars} characters, and a token has {max_token_chars} at most"
        raise _too_long(f"the messages have {most}", max_context)


def _too_long(what: str, max_context: int) -> ApiError:
    text = (
        f"{what}: prompt and answer together have room for {max_context} tokens; "
        "shorten the messages"
    )
    code = "context_length_exceeded"
    return ApiError(Problem(400, text, code=code, param="messages"))

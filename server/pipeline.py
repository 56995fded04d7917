"""A request's life on one screen: check, admit, ask the backend, pass on, settle.

`answer` is the only place where the server's policies meet. Whatever it raises before
its first event becomes an HTTP status; after that a failure is an event. However it
ends, also when the client leaves, the backend is told and every observer hears of the
end once, with the tokens that were spent.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial

from labkit.dialects.events import (
    ApiError,
    ChatRequest,
    Ended,
    Failed,
    Problem,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.errors import LabError, ProtocolError
from labkit.records import Usage
from server.admission import Admission, require_size
from server.backends import Backend, BackendRequest, Served
from server.errors import problem_of
from server.limits import Meter
from server.outcomes import Outcome
from server.outputs import Observer, Output, Stage, staged

__all__ = ["RequestContext", "answer", "known_names", "require_model"]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What belongs to one request beside what it asks for."""

    request_id: str
    created_unix: int
    default_max_tokens: int
    aliases: Sequence[str] = ()  # further names of the model
    observers: Sequence[Observer] = ()
    stages: Sequence[Stage] = ()
    lease_s: float | None = None
    meter: Meter | None = None  # of the tenant's limits; it is an observer as well
    tenant: str = "local"  # to whom the request, its trace and cached blocks belong

    def reserve(self, chat: ChatRequest) -> None:
        """Take from the tenant's limits what the request needs; `ApiError` if short."""
        if self.meter is not None:
            self.meter.reserve(chat)


async def answer(
    chat: ChatRequest, context: RequestContext, backend: Backend, admission: Admission
) -> AsyncGenerator[StreamEvent, None]:
    """One request's life, from checked body to settled usage."""
    name, stages = context.request_id, context.stages
    with settled(context) as life:
        served = require_model(chat.model, backend, context.aliases)
        require_size(chat, served.max_context, served.max_token_chars)
        context.reserve(chat)
        abort, asked = partial(backend.abort, name), assemble(chat, context, life)
        async with (
            admission.admit(context.tenant, name, abort, context.lease_s) as seat,
            aclosing(backend.answer(asked)) as outputs,
        ):
            first = await anext(outputs)
            if seat.ended_by is not None:  # before the backend knew of the request
                abort()
            num_prompt = first.usage.prompt_tokens
            yield Started(name, served.name, context.created_unix, num_prompt)
            try:
                life.sent(first)
                async for output in outputs:
                    for shown in staged(stages, output) if stages else (output,):
                        if shown.text or shown.scores:
                            yield TextPiece(shown.text, shown.scores)
                        for tell in life.on_sending:
                            tell(shown)
                        if shown.finish is not None:
                            life.outcome = seat.ended_by or Outcome.FINISHED
                            yield Ended(shown.finish, life.usage, shown.stop)
                            return
                raise ProtocolError("the backend stopped without saying why")
            except Exception as error:
                yield life.failed(error)


class Life(Observer):
    """What is known of a request while it is answered; it outlives who reads it."""

    def __init__(self, context: RequestContext) -> None:
        self.outcome = Outcome.CLIENT_CLOSED  # stands where nothing else is said
        self.usage = Usage(0, 0)  # the tokens spent so far
        self._request_id = context.request_id
        self.on_sending = [o.on_sent for o in context.observers if o.on_sent]

    def on_event(self, output: Output) -> None:
        """Take the newest count, also of what nobody reads any more."""
        self.usage = output.usage

    def sent(self, output: Output) -> None:
        """The client's connection has `output`: tell whoever wants to know."""
        for tell in self.on_sending:
            tell(output)

    def failed(self, error: Exception) -> Failed:
        """The event that ends the stream; the log has what the client is not told."""
        self.outcome = Outcome.FAILED
        return Failed(problem_of(error, self._request_id))


@contextmanager
def settled(context: RequestContext) -> Iterator[Life]:
    """However the block ends, every observer hears of the end and of the usage."""
    life = Life(context)
    try:
        yield life
    except LabError:
        life.outcome = Outcome.REFUSED
        raise
    except Exception:
        life.outcome = Outcome.FAILED
        raise
    finally:
        for observer in context.observers:
            try:
                observer.on_end(life.usage, life.outcome)
            except Exception:  # it keeps nobody else from it
                logging.getLogger(__name__).exception("%r failed at the end", observer)


def require_model(name: str, backend: Backend, aliases: Sequence[str]) -> Served:
    """The model that `name` stands for; 404 where it stands for none."""
    served = backend.served()
    if name in known_names(served, aliases):
        return served
    text = f"no model {name[:60]!r} here; ask GET /v1/models for the names"
    raise ApiError(Problem(404, text, code="model_not_found", param="model"))


def known_names(served: Served, aliases: Sequence[str]) -> tuple[str, ...]:
    """The model's own name, then its aliases."""
    return tuple(dict.fromkeys((served.name, *aliases)))


def assemble(chat: ChatRequest, context: RequestContext, life: Life) -> BackendRequest:
    """What the backend is asked for."""
    return BackendRequest(
        context.request_id,
        chat.messages,
        chat.sampling,
        chat.max_tokens or context.default_max_tokens,
        context.tenant,  # as the salt: tenants share no cached block
        (life, *context.observers),
    )

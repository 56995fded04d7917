"""What the server answers when it says no, in the OpenAI error shape.

`problem_of` turns any exception into a `Problem`; nothing of an unexpected one leaves
the process. Every body has all four fields, and no message is longer than MAX_MESSAGE.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from labkit.errors import InputError, LabError, NeverFits, QueueFull

__all__ = ["MAX_MESSAGE", "ApiError", "ClientGone", "Kind", "Problem", "problem_of"]

MAX_MESSAGE = 400  # characters; a long input is never echoed whole


class Kind(StrEnum):
    """The `type` of an error body."""

    INVALID = "invalid_request_error"
    RATE_LIMIT = "rate_limit_error"
    SERVER = "server_error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal or failure, ready for the wire."""

    status: int
    message: str
    kind: Kind = Kind.INVALID
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None

    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON body; absent values are null, never missing."""
        text = self.message
        if len(text) > MAX_MESSAGE:
            text = text[: MAX_MESSAGE - 1] + "…"
        fields = {"message": text, "type": str(self.kind)}
        return {"error": {**fields, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Headers that tell a client when to come back and whether to hang up."""
        found: dict[str, str] = {}
        if self.retry_after_s is not None:
            found["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
            found["Retry-After-Ms"] = str(max(1, math.ceil(self.retry_after_s * 1000)))
        if self.status in (408, 413):
            found["Connection"] = "close"  # part of the body may still be on its way
        return found


class ApiError(LabError):
    """A refusal that already knows its status, code and field."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem

    def __reduce__(self) -> tuple[type[ApiError], tuple[Problem]]:
        return ApiError, (self.problem,)


class ClientGone(LabError):
    """The client closed the connection; nobody is left to answer."""


def problem_of(error: BaseException) -> Problem:
    """The answer to `error`; anything unexpected is a plain 500 without its text."""
    match error:
        case ApiError():
            return error.problem
        case NeverFits():
            code = "context_length_exceeded"
            return Problem(400, str(error), code=code, param=error.param)
        case InputError():
            return Problem(400, str(error), code="invalid_value", param=error.param)
        case QueueFull():
            return Problem(
                429,
                str(error),
                Kind.RATE_LIMIT,
                code="server_overloaded",
                retry_after_s=error.retry_after_s,
            )
    text = "the server failed on this request; its log has the details"
    return Problem(500, text, Kind.SERVER, code="internal_error")

"""Exceptions → problems: what the server answers when it says no.

`problem_of` turns any exception into a `Problem`, which the dialect then writes in its
own shape; nothing of an unexpected exception leaves the process.
"""

from __future__ import annotations

from labkit.dialects.events import ApiError, Kind, Problem
from labkit.errors import InputError, LabError, NeverFits, QueueFull

__all__ = ["ClientGone", "problem_of"]


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

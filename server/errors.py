"""Exceptions → problems: what the server answers when it says no.

`problem_of` turns any exception into a `Problem`, which the dialect then writes in its
own shape; nothing of an unexpected exception leaves the process.
"""

from __future__ import annotations

import logging

from labkit.dialects.events import ApiError, Kind, Problem
from labkit.errors import InputError, LabError, NeverFits, QueueFull, TemplateFailed

__all__ = ["ClientGone", "problem_of"]

LOGGER = logging.getLogger("server")


class ClientGone(LabError):
    """The client closed the connection; nobody is left to answer."""


def problem_of(error: BaseException, request_id: str) -> Problem:
    """The answer to `error`; anything unexpected is a plain 500 without its text.

    What becomes a 500 is put into the log here, under the id that the client got.
    """
    match error:
        case ApiError():
            if error.problem.status == 500:
                LOGGER.error("request %s: %s", request_id, error)
            return error.problem
        case NeverFits():
            code = "context_length_exceeded"
            return Problem(400, str(error), code=code, param=error.param)
        case InputError():
            return Problem(400, str(error), code="invalid_value", param=error.param)
        case TemplateFailed():
            LOGGER.error("request %s: %s", request_id, error)
            code = "chat_template_failed"
            return Problem(500, str(error), Kind.SERVER, code=code, should_retry=False)
        case QueueFull():
            return Problem(
                429,
                str(error),
                Kind.RATE_LIMIT,
                code="server_overloaded",
                retry_after_s=error.retry_after_s,
            )
    LOGGER.error("request %s failed", request_id, exc_info=error)
    text = f"the server failed on request {request_id}; its log has the details"
    return Problem(500, text, Kind.SERVER, code="internal_error")

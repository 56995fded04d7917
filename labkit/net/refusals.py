"""A server's refusal → the error of ours that says the same.

The server's own sentence is kept; a body that is no error of the OpenAI shape, such as
a proxy's login page, is named for what it is. Only a server that is full is told as
`QueueFull`: one that has no model, or whose engine is dead, is `ServerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping

from labkit.dialects.openai import read_error
from labkit.errors import (
    InputError,
    LabError,
    ProtocolError,
    QueueFull,
    ServerUnavailable,
)

__all__ = ["refusal"]

RETRY_S = 1.0  # where the server names no time


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> LabError:
    """The error for an answer whose status is not 200."""
    problem = read_error(status, body)
    if problem is None:
        kind = headers.get("content-type", "no content type")
        return ProtocolError(
            f"status {status} with {kind} and no error of ours: is this the "
            "address of a labkit server?"
        )
    message = problem.message
    if status == 429 or problem.code == "server_overloaded":
        return QueueFull(message, retry_after_s=_retry_after_s(headers))
    if status == 503:
        return ServerUnavailable(message)
    if 400 <= status < 500:
        return InputError(message, param=problem.param)
    return ProtocolError(f"the server answered {status}: {message}")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isdecimal():
        return int(milliseconds) / 1000
    seconds = headers.get("retry-after", "")
    return float(seconds) if seconds.isdecimal() else RETRY_S

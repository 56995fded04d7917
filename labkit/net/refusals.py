"""A server's refusal → the error of ours that says the same.

The server's own sentence is kept; a body that is no error of the OpenAI shape, such as
a proxy's login page, is named for what it is. Only a server that is full is told as
`QueueFull`: one that has no model, or whose engine is dead, is `ServerUnavailable`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from labkit.errors import (
    InputError,
    LabError,
    ProtocolError,
    QueueFull,
    ServerUnavailable,
)

__all__ = ["message_of", "refusal"]

RETRY_S = 1.0  # where the server names no time


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> LabError:
    """The error for an answer whose status is not 200."""
    message, param, code = message_of(body)
    if message is None:
        kind = headers.get("content-type", "no content type")
        return ProtocolError(
            f"status {status} with {kind} and no error of ours: is this the "
            "address of a labkit server?"
        )
    if status == 429 or code == "server_overloaded":
        return QueueFull(message, retry_after_s=_retry_after_s(headers))
    if status == 503:
        return ServerUnavailable(message)
    if 400 <= status < 500:
        return InputError(message, param=param)
    return ProtocolError(f"the server answered {status}: {message}")


def message_of(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Sentence, field and code of an error body; all None where it is not one."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"]), error.get("param"), error.get("code")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, None, None


def _retry_after_s(headers: Mapping[str, str]) -> float:
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isdecimal():
        return int(milliseconds) / 1000
    seconds = headers.get("retry-after", "")
    return float(seconds) if seconds.isdecimal() else RETRY_S

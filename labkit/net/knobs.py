"""What a caller may ask of a request, and the JSON body that asks it.

A knob that the server does not have is refused before sending, with the nearest that it
has; values are checked by the server, which knows their ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from labkit.config import reject_unknown
from labkit.errors import InputError
from labkit.sequence import SamplingParams

__all__ = ["KNOBS", "Messages", "request_body"]

Messages = Sequence[Mapping[str, str]]

_WIRE_ONLY = ("logprobs", "max_completion_tokens", "metadata", "user")
KNOBS = tuple(sorted({*(f.name for f in fields(SamplingParams)), *_WIRE_ONLY}))


def request_body(
    model: str, messages: Messages | str, knobs: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a streamed chat completion; usage is always asked for."""
    reject_unknown(knobs, KNOBS, "A request")
    if isinstance(messages, str) or not messages:
        raise InputError(
            f"messages={messages!r}: give a list such as "
            '[{"role": "user", "content": "Hello"}]',
            param="messages",
        )
    given = {name: value for name, value in knobs.items() if value is not None}
    if isinstance(given.get("logit_bias"), tuple | list):
        given["logit_bias"] = {str(i): bias for i, bias in given["logit_bias"]}
    if isinstance(given.get("stop"), tuple):
        given["stop"] = [*given["stop"]]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    listed = [dict(message) for message in messages]
    return {"model": model, "messages": listed, **options, **given}

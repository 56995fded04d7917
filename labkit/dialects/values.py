"""JSON as wire formats need it: written in plain ASCII, read without trust.

What is read comes from somebody else's server: nothing here raises because of it. A
value of another type than expected counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

__all__ = [
    "count_of",
    "from_json",
    "mapping_of",
    "quoted",
    "text_of",
    "to_json",
    "to_json_by_item",
]

MAX_COUNT: Final = 2**53 - 1  # the largest whole number that JavaScript holds exactly

quoted = json.encoder.encode_basestring_ascii  # one string as a JSON literal


def to_json(data: object) -> str:
    """Compact ASCII JSON; refuses NaN and Infinity."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def to_json_by_item(data: object, depth: int = 2) -> str:
    """The same text, made in many short calls: one for each value `depth` levels down.

    One long call would keep every other thread waiting, an event loop's too.
    """
    if depth and isinstance(data, dict):
        fields = (
            f"{quoted(k)}:{to_json_by_item(v, depth - 1)}" for k, v in data.items()
        )
        return "{" + ",".join(fields) + "}"
    if depth and isinstance(data, list):
        return "[" + ",".join([to_json_by_item(v, depth - 1) for v in data]) + "]"
    return to_json(data)


def from_json(text: str) -> dict[str, Any] | None:
    """The JSON object in `text`; None where it is no JSON or no object."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def mapping_of(value: object) -> Mapping[str, Any]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str | None:
    """A string that can be written as UTF-8: half a surrogate pair becomes U+FFFD."""
    if not isinstance(value, str) or value.isascii():
        return value if isinstance(value, str) else None
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def count_of(value: object) -> int | None:
    """A number of tokens; None where `value` is no whole number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    is_count = 0 <= value <= MAX_COUNT and value == int(value)
    return int(value) if is_count else None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)

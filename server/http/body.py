"""A request's bytes → one JSON object, within bounds that hold while reading.

Refuses what `json.loads` lets through: bodies that are too long, too deep or too slow,
NaN and Infinity, keys given twice, text that is not UTF-8 and lone surrogates. What it
returns can be encoded again as UTF-8.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NoReturn

from labkit.dialects.events import ApiError, Problem
from server.errors import ClientGone
from server.settings import Settings

__all__ = [
    "Receive",
    "check_content_type",
    "check_encoding",
    "parse_object",
    "read_body",
]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DRAIN_FACTOR = 8  # a refused body is read this many limits far, so that 413 arrives
STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def check_content_type(value: str) -> None:
    """Let `application/json` in UTF-8 pass; anything else is answered 400."""
    kind, *params = [part.strip().lower() for part in value.split(";")]
    charsets = [p.partition("=")[2].strip('"') for p in params if "charset" in p]
    if kind == "application/json" and all(c in ("utf-8", "utf8") for c in charsets):
        return
    text = f"Content-Type is {value[:80]!r}: send application/json in UTF-8"
    raise ApiError(Problem(400, text, code="unsupported_content_type"))


def check_encoding(value: str) -> None:
    """Let a body through that is sent as it is; a compressed one is answered 415."""
    if value.strip().lower() in ("", "identity"):
        return
    text = f"Content-Encoding is {value[:80]!r}: send the body without compression"
    raise ApiError(Problem(415, text, code="unsupported_content_encoding"))


async def read_body(receive: Receive, declared: str | None, limits: Settings) -> bytes:
    """Collect the body; 413 above the size limit, 408 past the deadline."""
    longest = limits.max_body_bytes
    if declared and declared.isdecimal() and len(declared) > 18:
        raise _too_large(longest)  # nobody sends 10**18 bytes
    if declared and declared.isdecimal() and int(declared) > longest * DRAIN_FACTOR:
        raise _too_large(longest)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _collect(receive, longest)
    except TimeoutError:
        text = f"the body was not complete after {limits.body_timeout_s:g} s"
        raise ApiError(Problem(408, text, code="request_timeout")) from None


async def _collect(receive: Receive, longest: int) -> bytes:
    kept, seen, more = bytearray(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left before its request was complete")
        piece = message.get("body", b"")
        seen += len(piece)
        kept += piece if seen <= longest else b""
        more = message.get("more_body", False) and seen <= longest * DRAIN_FACTOR
    if seen > longest:
        raise _too_large(longest)
    return bytes(kept)


def _too_large(longest: int) -> ApiError:
    text = f"the body is larger than {longest} bytes: shorten the messages"
    return ApiError(Problem(413, text, code="request_too_large"))


def parse_object(raw: bytes, max_depth: int) -> dict[str, Any]:
    """Read `raw` as one strict JSON object."""
    try:
        text = raw.decode("utf-8")
        _check_depth(text, max_depth)
        data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid(f"it is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise _invalid("it holds half of a surrogate pair") from None
    except ValueError as error:
        raise _invalid(str(error)) from None
    if not isinstance(data, dict):
        raise _invalid("it must be an object, as in {...}")
    return data


def _check_depth(text: str, max_depth: int) -> None:
    """Count brackets outside strings before the recursive parser meets them."""
    depth = 0
    for match in STRING_OR_BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > max_depth:
            raise ValueError(f"it is nested deeper than {max_depth} levels")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name[:60]!r} is given twice")
        found[name] = value
    return found


def _invalid(reason: str) -> ApiError:
    return ApiError(
        Problem(400, f"the body cannot be read: {reason}", code="invalid_json")
    )

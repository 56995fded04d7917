"""A request's bytes → one JSON object, within bounds that hold while reading.

jiter, pydantic's own JSON parser, reads strictly: no NaN, no key twice, no lone
surrogate, so what it returns can be encoded again as UTF-8. Refused before it begins
are bodies that are too long, too deep, too slow, or of too many values: no body holds
the event loop for long.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

from jiter import from_json

from labkit.dialects.events import ApiError, Problem
from server.errors import ClientGone
from server.settings import Settings

__all__ = [
    "Receive",
    "check_content_type",
    "check_encoding",
    "check_structure",
    "parse_object",
    "read_body",
    "read_object",
]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DRAIN_FACTOR = 8  # a refused body is read this many limits far, so that 413 arrives
INLINE_BYTES = 16_384  # read on the event loop: takes about a millisecond
MAX_VALUES = 10_000  # lists, objects and commas; a long chat has some hundred
TOO_MANY = f"it holds more than {MAX_VALUES} values: shorten the messages"
NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
DUPLICATE = re.compile(
    r"Detected duplicate key (.*) at (line \d+ column \d+)", re.DOTALL
)
T = TypeVar("T")


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


async def read_object(
    raw: bytes, max_depth: int, translate: Callable[[dict[str, Any]], T]
) -> T:
    """What `translate` makes of the JSON object in `raw`.

    A large body is read in a thread, so that the streams under way do not wait for it.
    """
    if len(raw) <= INLINE_BYTES:
        return translate(parse_object(raw, max_depth))
    return await asyncio.to_thread(lambda: translate(parse_object(raw, max_depth)))


def parse_object(raw: bytes, max_depth: int) -> dict[str, Any]:
    """Read `raw` as one strict JSON object."""
    try:
        raw.decode("utf-8")
        check_structure(raw, max_depth)
        data = from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True)
    except UnicodeDecodeError as error:
        raise _invalid(f"it is not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise _invalid(_reason(str(error), raw)) from None
    if not isinstance(data, dict):
        raise _invalid("it must be an object, as in {...}")
    return data


def check_structure(raw: bytes, max_depth: int) -> None:
    """Bound what parsing can cost; `ValueError` says which bound was passed.

    The parser holds the interpreter until it is done, and what it takes is the number
    of values, not of bytes. Each pass here is one fast one over the bytes.
    """
    unescaped = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > 4 * MAX_VALUES:  # a name and a value are two quotes each
        raise ValueError(TOO_MANY)
    outside = b"".join(unescaped.split(b'"')[::2])  # of all strings
    if sum(map(outside.count, (b"[", b"{", b","))) > MAX_VALUES:
        raise ValueError(TOO_MANY)
    depth = 0
    for bracket in outside.translate(None, NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise ValueError(f"it is nested deeper than {max_depth} levels")


def _reason(said: str, raw: bytes) -> str:
    """The parser's own words, put plainly where they do not show the remedy."""
    if raw.startswith(b"\xef\xbb\xbf"):
        return "it starts with a byte order mark (BOM): leave it out"
    if match := DUPLICATE.match(said):
        return f"the key {match[1][:60]} is given twice, at {match[2]}"
    if "escape" in said or "surrogate" in said:
        return f"{said}; half of a surrogate pair is no character"
    return said


def _invalid(reason: str) -> ApiError:
    return ApiError(
        Problem(400, f"the body cannot be read: {reason}", code="invalid_json")
    )

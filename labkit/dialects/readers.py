"""Whose event stream it is, and the reader that understands it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from labkit.dialects.anthropic import AnthropicReader
from labkit.dialects.openai import OpenAIReader
from labkit.dialects.wire import EventReader, from_json

__all__ = ["Dialect", "dialect_of", "reader"]


class Dialect(StrEnum):
    """Whose event stream it is."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


READERS: Final[Mapping[Dialect, Callable[[], EventReader]]] = MappingProxyType(
    {Dialect.OPENAI: OpenAIReader, Dialect.ANTHROPIC: AnthropicReader}
)


def reader(dialect: Dialect) -> EventReader:
    """A new reader for one stream of `dialect`."""
    return READERS[dialect]()


def dialect_of(data: Iterable[str]) -> Dialect:
    """The dialect that events speak: Anthropic's carry their own type, each."""
    for value in map(from_json, data):
        if value is not None:
            is_typed = isinstance(value.get("type"), str)
            return Dialect.ANTHROPIC if is_typed else Dialect.OPENAI
    return Dialect.OPENAI

"""The parts of the book: the index, chapters 1 to 12, and appendices with a name.

A part's name is the start of its files' names: `07` in `chapters/07_cache.ipynb`,
`index` in `chapters/index.ipynb`, `speculation` in `appendix_speculation.ipynb`. Its
recordings in `chapters/data` begin with the same name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from labkit.errors import ConfigError
from labkit.records import Layer

__all__ = ["INDEX", "Part", "layer_of", "part_of"]

INDEX: Final = "index"
_APPENDIX: Final = "appendix_"
_SLUG: Final = re.compile(r"[a-z][a-z0-9_]*")
_CHAPTERS: Final = {layer.chapter: layer for layer in Layer}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the book; either `chapter` or `appendix` says which."""

    chapter: int | Literal["index"] | None = None
    appendix: str | None = None

    def __post_init__(self) -> None:
        if (self.chapter is None) == (self.appendix is None):
            raise ConfigError(
                f"chapter={self.chapter!r} and appendix={self.appendix!r}: give one of "
                'them, such as chapter=7, chapter="index" or appendix="speculation"'
            )
        if self.appendix is not None:
            _require_slug(self.appendix)
        elif self.chapter != INDEX and not _is_number(self.chapter):
            raise ConfigError(
                f"chapter={self.chapter!r}: the book has chapters 1 to 12, "
                'chapter="index" and appendices (appendix="speculation")'
            )

    @property
    def name(self) -> str:
        """The start of its files' names: `07`, `index` or `speculation`."""
        if isinstance(self.chapter, int):
            return f"{self.chapter:02}"
        return self.appendix or INDEX

    @property
    def title(self) -> str:
        """The part in words, such as `Chapter 7, layer cache`."""
        if isinstance(self.chapter, int):
            return f"Chapter {self.chapter}, layer {_CHAPTERS[self.chapter]}"
        return f"Appendix {self.appendix}" if self.appendix else "The book's index"

    @property
    def call(self) -> str:
        """How the part's first cell starts it."""
        if self.appendix is not None:
            return f'start(appendix="{self.appendix}")'
        number = self.chapter if isinstance(self.chapter, int) else f'"{self.chapter}"'
        return f"start(chapter={number})"


def part_of(stem: str) -> Part:
    """The part in a file called `NN_name`, `index` or `appendix_name`, no suffix."""
    if stem == INDEX:
        return Part(chapter=INDEX)
    if stem.startswith(_APPENDIX):
        return Part(appendix=stem.removeprefix(_APPENDIX))
    number, _, slug = stem.partition("_")
    if slug and re.fullmatch("[0-9]{2}", number):
        return Part(chapter=int(number))
    raise ConfigError(
        f"{stem!r} is no file of the book: call it index, NN_name (07_cache) or "
        "appendix_name (appendix_speculation)"
    )


def layer_of(part: Part) -> Layer | None:
    """The layer that a chapter is about; None for the index and an appendix."""
    return _CHAPTERS.get(part.chapter) if isinstance(part.chapter, int) else None


def _is_number(chapter: object) -> bool:
    return type(chapter) is int and chapter in _CHAPTERS


def _require_slug(name: str) -> None:
    if not isinstance(name, str) or not _SLUG.fullmatch(name):
        raise ConfigError(
            f"appendix={name!r}: use small letters, digits and _, such as speculation"
        )

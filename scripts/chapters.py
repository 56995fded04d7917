"""The book's map: chapter, layer, and where that layer's code lives.

The status beside each chapter is computed from the files that exist, never typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from labkit.figures.path_map import QUESTIONS
from labkit.records import Layer

__all__ = ["CHAPTERS", "Chapter", "Status", "status"]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter and the files of its layer, as the book plans them."""

    layer: Layer
    homes: tuple[str, ...]  # modules, or folders that end in a slash

    @property
    def number(self) -> int:
        """The chapter's number, 1 to 12."""
        return self.layer.chapter

    @property
    def question(self) -> str:
        """What the chapter answers, in a few words."""
        return QUESTIONS[self.layer]


@dataclass(frozen=True, slots=True)
class Status:
    """What exists of a chapter."""

    num_homes: int  # of the planned modules and folders
    has_text: bool
    minutes: int | None  # as its head says
    widgets: tuple[str, ...]
    num_tested: int  # of the homes


CHAPTERS = (
    Chapter(Layer.CLIENT, ("labkit/net/client.py", "labkit/widgets/token_counter.py")),
    Chapter(Layer.NETWORK, ("labkit/text/sse.py", "labkit/net/relay.py")),
    Chapter(Layer.GATEWAY, ("server/auth.py", "server/limits/", "server/routes.py")),
    Chapter(Layer.SAFETY, ("server/safety.py",)),
    Chapter(Layer.CONTEXT, ("labkit/text/template.py", "server/context.py")),
    Chapter(Layer.TOKENS, ("labkit/text/tokenizer.py",)),
    Chapter(Layer.CACHE, ("labkit/cache/", "labkit/model/kv_store.py")),
    Chapter(Layer.COMPUTE, ("labkit/model/", "labkit/native/", "labkit/engine/")),
    Chapter(Layer.SAMPLING, ("labkit/sampling/",)),
    Chapter(
        Layer.STREAMING,
        (
            "labkit/text/detokenizer.py",
            "labkit/text/markdown.py",
        ),
    ),
    Chapter(Layer.TOOLS, ("labkit/agent/",)),
    Chapter(Layer.BILLING, ("server/billing.py", "server/telemetry/")),
)


def has_code(path: Path) -> bool:
    """True for a module, or a folder with one beside `__init__.py`."""
    if path.is_dir():
        return any(p.name != "__init__.py" for p in path.rglob("*.py"))
    return path.is_file()


def has_tests(root: Path, home: str) -> bool:
    """True where the mirror of `home` under tests/ has a test file."""
    mirror = root / "tests" / home
    if home.endswith("/"):
        return any(mirror.rglob("test_*.py"))
    return (mirror.parent / f"test_{mirror.name}").is_file()


def widgets_in(source: str) -> tuple[str, ...]:
    """Names of the widgets that a chapter's source imports, sorted."""
    found: set[str] = set()
    for names in re.findall(r"from labkit\.widgets import \(?([\w\s,]+)\)?", source):
        found |= set(re.findall(r"\b[A-Z]\w+", names))
    return tuple(sorted(found))


def minutes_in(source: str) -> int | None:
    """The minutes that a chapter's head says it takes."""
    found = re.search(r"\b(\d+) minutes", source)
    return int(found[1]) if found else None


def status(root: Path, chapter: Chapter) -> Status:
    """Look at the files of `chapter` under `root`."""
    stem = f"{chapter.number:02}_*"
    homes = [home for home in chapter.homes if has_code(root / home)]
    sources = sorted((root / "chapters" / "src").glob(f"{stem}.py"))
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    return Status(
        num_homes=len(homes),
        has_text=any((root / "chapters").glob(f"{stem}.ipynb")),
        minutes=minutes_in(text),
        widgets=widgets_in(text),
        num_tested=sum(has_tests(root, home) for home in homes),
    )

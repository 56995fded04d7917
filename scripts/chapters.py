"""The book's map: chapter, layer, and where that layer's code lives.

The status beside each chapter is computed from the files that exist, never typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CHAPTERS", "Chapter", "Status", "status"]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter and the files of its layer, as the book plans them."""

    number: int
    layer: str
    question: str  # what the chapter answers, in a few words
    homes: tuple[str, ...]  # modules, or folders that end in a slash


@dataclass(frozen=True, slots=True)
class Status:
    """What exists of a chapter."""

    num_homes: int  # of the planned modules and folders
    has_text: bool
    widgets: tuple[str, ...]
    num_tested: int  # of the homes


CHAPTERS = (
    Chapter(
        1,
        "client",
        "What happens between a key press and the request?",
        ("labkit/net/client.py", "labkit/widgets/token_counter.py"),
    ),
    Chapter(
        2,
        "network",
        "How do bytes become events again?",
        ("labkit/text/sse.py", "labkit/net/relay.py"),
    ),
    Chapter(
        3,
        "gateway",
        "Who may ask, how often, and who says no?",
        ("server/auth.py", "server/limits.py", "server/routes.py"),
    ),
    Chapter(
        4, "safety", "What can be stopped, and what cannot?", ("server/safety.py",)
    ),
    Chapter(
        5,
        "context",
        "What does the model get to read?",
        ("labkit/text/template.py", "server/context.py"),
    ),
    Chapter(6, "tokens", "What are tokens?", ("labkit/text/tokenizer.py",)),
    Chapter(
        7,
        "cache",
        "What is remembered between tokens, and where?",
        ("labkit/cache/", "labkit/model/kv_store.py"),
    ),
    Chapter(
        8,
        "compute",
        "Why is the first token slow and the next one not?",
        ("labkit/model/", "labkit/native/", "labkit/engine/"),
    ),
    Chapter(9, "sampling", "How is one token chosen?", ("labkit/sampling/",)),
    Chapter(
        10,
        "streaming",
        "How does an answer reach the screen while it is written?",
        (
            "labkit/text/detokenizer.py",
            "labkit/text/markdown.py",
        ),
    ),
    Chapter(11, "tools", "How does a model act?", ("labkit/agent/",)),
    Chapter(
        12,
        "billing",
        "What did it cost, and who saw it?",
        ("server/billing.py", "server/telemetry/"),
    ),
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


def status(root: Path, chapter: Chapter) -> Status:
    """Look at the files of `chapter` under `root`."""
    stem = f"{chapter.number:02}_*"
    homes = [home for home in chapter.homes if has_code(root / home)]
    sources = sorted((root / "chapters" / "src").glob(f"{stem}.py"))
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    return Status(
        num_homes=len(homes),
        has_text=any((root / "chapters").glob(f"{stem}.ipynb")),
        widgets=widgets_in(text),
        num_tested=sum(has_tests(root, home) for home in homes),
    )

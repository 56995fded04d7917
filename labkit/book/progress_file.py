"""What a reader has done, guesses and exercises: `progress.json` by the notebooks.

The file is read anew before each change and replaced in one step, so that chapters open
at once do not undo each other and none ever sees half a file. A file that cannot be
read is set aside under another name and said; where nothing can be written, or no
folder is given, what is done stays in memory.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from labkit.book.answers import exercises_of
from labkit.book.parts import Part, part_of
from labkit.errors import ConfigError

__all__ = ["NAME", "SCHEMA", "VERSION", "ProgressFile"]

NAME: Final = "progress.json"
SCHEMA: Final = "labkit.progress"
VERSION: Final = 1
_ASKS: Final = re.compile(r"\blab\.predict\(")


class ProgressFile:
    """`ProgressFile(folder)`; with None it remembers and writes nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._path = None if folder is None else folder / NAME
        self._memory: dict[str, Any] = {}
        self.on_change: Callable[[], object] | None = None  # something new was kept

    def guess(self, part: Part, question: str) -> dict[str, Any] | None:
        """What was kept of a question: `guess` and `answer`, or `skipped`; or None."""
        found = _table(self._of(part), "guesses").get(question)
        return dict(found) if isinstance(found, Mapping) else None

    def solved(self, part: Part) -> set[str]:
        """Names of the exercises of `part` that were answered right."""
        found = self._of(part).get("solved")
        return {str(name) for name in found} if isinstance(found, list) else set()

    def keep_guess(self, part: Part, question: str, kept: Mapping[str, Any]) -> None:
        """Keep a guess with its answer; an empty `kept` forgets it."""
        mine, guesses = self._for_change(part, "guesses")
        guesses.pop(question, None)
        if kept:
            guesses[question] = dict(kept)
        self._write(mine)

    def keep_solved(self, part: Part, name: str) -> None:
        """Keep that the exercise called `name` was answered right."""
        solved = self.solved(part) | {name}
        mine, _ = self._for_change(part, "guesses")
        mine["parts"][part.name]["solved"] = sorted(solved)
        self._write(mine)

    def line(self, part: Part) -> str:
        """What was done of `part`, such as "2 of 5 guesses, 1 of 4 exercises".

        "" where there is no folder: nobody reads there, as in a build of the book.
        """
        if self._folder is None:
            return ""
        kept = _table(self._of(part), "guesses").values()
        guesses = sum(isinstance(one, Mapping) and "guess" in one for one in kept)
        known = {one.name for one in exercises_of(part.chapter)}
        solved = len(self.solved(part) & known)
        told = [_share(guesses, self._num_questions(part), "guess", "guesses")]
        if known:
            told.append(_share(solved, len(known), "exercise", "exercises"))
        return ", ".join(told)

    def _num_questions(self, part: Part) -> int | None:
        """How many questions the reader's notebook of `part` asks, if it is there."""
        assert self._folder is not None, "without a folder nobody asks"
        for path in sorted(self._folder.glob("*.ipynb")):
            if _is_of(path.stem, part):
                with suppress(OSError, ValueError, KeyError, TypeError):
                    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                    code = [c["source"] for c in cells if c["cell_type"] == "code"]
                    return sum(len(_ASKS.findall("".join(text))) for text in code)
        return None

    def _of(self, part: Part) -> dict[str, Any]:
        found = _table(self._read(), "parts").get(part.name)
        return found if isinstance(found, dict) else {}

    def _for_change(self, part: Part, table: str) -> tuple[dict[str, Any], Any]:
        """Everything that is kept, and one table of `part` in it, to be changed."""
        everything = self._read()
        everything["parts"] = parts = _table(everything, "parts")
        parts[part.name] = mine = _table(parts, part.name)
        mine[table] = found = _table(mine, table)
        return everything, found

    def _read(self) -> dict[str, Any]:
        """The file's values; a file that is damaged is set aside."""
        if self._path is None:
            return self._memory
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            return self._without(f"cannot be read ({error})")
        with suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict) and found.get("schema") == SCHEMA:
                if found.get("version") == VERSION:
                    return found
                return self._without(
                    f"has version {found.get('version')!r}, this book reads {VERSION}"
                )
        return self._without("is damaged")

    def _without(self, why: str) -> dict[str, Any]:
        """Set the file aside and say so; what was done so far counts as nothing."""
        assert self._path is not None, "only a file can be set aside"
        aside = _free_name(self._path)
        try:
            self._path.replace(aside)
        except OSError:
            return self._keep_in_memory(f"{NAME} {why}")
        _say(f"{NAME} {why}; it is kept as {aside.name}, and a new one is begun.")
        return {}

    def _write(self, everything: dict[str, Any]) -> None:
        everything |= {"schema": SCHEMA, "version": VERSION}
        self._memory = everything
        if self._path is not None:
            self._save(self._path, everything)
        if self.on_change is not None:
            self.on_change()

    def _save(self, path: Path, everything: dict[str, Any]) -> None:
        text = json.dumps(everything, indent=1, ensure_ascii=False, sort_keys=True)
        try:
            _replace(path, text + "\n")
        except OSError as error:
            self._keep_in_memory(f"{NAME} cannot be written ({error.strerror})")

    def _keep_in_memory(self, why: str) -> dict[str, Any]:
        self._path = None
        _say(f"{why}: guesses and exercises are kept until the kernel ends.")
        return self._memory


def _replace(path: Path, text: str) -> None:
    """Write `path` in one step: a reader sees the old file or the new one."""
    number, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise


def _free_name(path: Path) -> Path:
    """A name beside `path` that nothing has yet."""
    numbers = range(1, 10_000)
    names = (path.with_name(f"{path.stem}.damaged-{n}.json") for n in numbers)
    return next(name for name in names if not name.exists())


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _share(done: int, total: int | None, one: str, many: str) -> str:
    word = one if (done if total is None else total) == 1 else many
    return f"{done} {word}" if total is None else f"{done} of {total} {word}"


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def _is_of(stem: str, part: Part) -> bool:
    """Whether a notebook of this name, without its suffix, is the one of `part`."""
    try:
        return part_of(stem) == part
    except ConfigError:  # a notebook of the reader's own
        return False

"""Cell outputs made of text: prose with computed numbers, tables, the code itself.

All of it is Markdown beside plain text, which every front end shows in its own theme;
the same input always gives the same bytes. It runs nothing and draws nothing.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.errors import ConfigError

__all__ = ["Prose", "as_table", "source"]


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown as a cell's output."""

    markdown: str
    plain: str

    def __repr__(self) -> str:
        return self.plain

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/markdown": self.markdown, "text/plain": self.plain}


def as_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Prose:
    """Rows under a head; numbers are set right, everything else left."""
    cells = [[str(value) for value in row] for row in rows]
    given = [list(row) for row in [head, *cells]]
    for row in cells:
        if len(row) != len(head):
            raise ConfigError(f"table row {row} does not fit the head {list(head)}")
    columns = list(zip(*cells, strict=True)) if cells else [()] * len(head)
    rule = ["--:" if col and all(map(_is_number, col)) else ":--" for col in columns]
    lines = [_line(given[0]), _line(rule, escape=False), *map(_line, given[1:])]
    widths = [max(len(row[i]) for row in given) for i in range(len(head))]
    plain = "\n".join(_padded(row, widths, rule) for row in given)
    return Prose("\n".join(lines), plain)


def source(thing: Any) -> Prose:
    """The code of a function, class or module, as it is in the package."""
    thing = inspect.unwrap(getattr(thing, "fget", None) or thing)
    try:
        code = textwrap.dedent(inspect.getsource(thing)).rstrip()
    except (OSError, TypeError):
        raise ConfigError(
            f"{thing!r} has no Python source to show: pass a function, class or module"
        ) from None
    name = getattr(thing, "__qualname__", "")
    module = getattr(thing, "__module__", None) or getattr(thing, "__name__", "")
    title = f"{module}.{name}" if name else module
    fence = "`" * max(3, 1 + _longest_run(code))
    return Prose(f"`{title}`\n\n{fence}python\n{code}\n{fence}", f"# {title}\n{code}")


def _longest_run(code: str) -> int:
    return max((len(run) for run in re.findall("`+", code)), default=0)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?( ?%)?", text) is not None


def _line(row: Sequence[str], *, escape: bool = True) -> str:
    cells = [c.replace("|", "\\|").replace("\n", "⏎") if escape else c for c in row]
    return f"| {' | '.join(cells)} |"


def _padded(row: Sequence[str], widths: Sequence[int], rule: Sequence[str]) -> str:
    pads = zip(row, widths, rule, strict=True)
    cells = [c.rjust(w) if r == "--:" else c.ljust(w) for c, w, r in pads]
    return "  ".join(cells).rstrip()

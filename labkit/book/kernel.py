"""An IPython extension: a name that is missing is told as a cell that has not been run.

After a restart, a cell in the middle of a chapter would end in a bare `NameError`. Only
the cell's own names are meant: an error inside a library, and a name that looks like a
misspelt builtin, keep the traceback that they have.
"""

from __future__ import annotations

import builtins
import difflib
import traceback
from types import TracebackType
from typing import Any

__all__ = ["load_ipython_extension", "missing_words"]


def load_ipython_extension(shell: Any) -> None:
    """Switch it on; `%load_ext labkit.book.kernel`, and `start()` does it too."""
    shell.set_custom_exc((NameError,), _show)


def missing_words(name: str, line: int, known: list[str]) -> str:
    """What a reader is told; "" where `name` is rather a builtin misspelt."""
    if difflib.get_close_matches(name, dir(builtins), n=1, cutoff=0.8):
        return ""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    hint = f" (or did you mean `{near[0]}`?)" if near else ""
    return (
        f"`{name}` is not defined yet (line {line} of this cell): run the cells above "
        f"first, with Run > Run All Above Selected Cell{hint}."
    )


def _show(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Show the sentence in the place of the traceback, or the traceback."""
    words = _words(shell, error, trace)
    if words:
        shell._showtraceback(kind, error, [words])
    else:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _words(shell: Any, error: BaseException, trace: TracebackType | None) -> str:
    name = getattr(error, "name", None)
    if type(error) is not NameError or not name or trace is None:
        return ""
    last = traceback.extract_tb(trace)[-1]
    if shell.compile.format_code_name(last.filename) is None:  # not a cell's own
        return ""
    known = [one for one in shell.user_ns if not one.startswith("_")]
    return missing_words(name, last.lineno or 0, known)

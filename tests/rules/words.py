"""The table of words in CONTRIBUTING.md, and the names that the code defines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HEADING = "## Words"
CODE = re.compile(r"`([^`]+)`")
C_NAME = re.compile(r"\b[A-Za-z_]\w+\b")


def our_words(text: str) -> list[str]:
    """Names in backquotes in the first column of the table under `HEADING`."""
    section = text.split(f"{HEADING}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [word for row in rows for word in CODE.findall(row.split("|")[1])]


def defined(path: Path, source: str) -> set[str]:
    """Names that a file defines: its own, its functions', classes' and values'."""
    if path.suffix != ".py":
        return {path.stem, *C_NAME.findall(source)}
    return {path.stem, *_in_python(ast.parse(source))}


def _in_python(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id

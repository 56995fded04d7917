"""CONTRIBUTING.md's words and paths, and the names that the code defines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HEADING = "## Words"
CODE = re.compile(r"`([^`]+)`")
PATH = re.compile(r"[a-z_.][\w.-]*(?:/[\w.-]+)*")
GENERATED = re.compile(r"<!-- map:.*?<!-- end of map -->", re.DOTALL)
FOLDERS = ("labkit", "server", "scripts", "tests", "chapters")
SUFFIXES = (".py", ".h", ".c", ".md", ".json", ".toml", ".txt")
C_NAME = re.compile(r"\b[A-Za-z_]\w+\b")


def our_words(text: str) -> list[str]:
    """Names in backquotes in the first column of the table under `HEADING`."""
    section = text.split(f"{HEADING}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [word for row in rows for word in CODE.findall(row.split("|")[1])]


def named_paths(text: str) -> list[str]:
    """Files and folders of the project in backquotes; those with a NAME left out.

    The generated map of a request is left out, since a test of its own holds it.
    """
    text = GENERATED.sub("", text)
    words = [w.rstrip("/") for w in CODE.findall(text) if PATH.fullmatch(w.rstrip("/"))]
    return [
        word
        for word in dict.fromkeys(words)
        if (word.endswith(SUFFIXES) or word.split("/")[0] in FOLDERS)
        and not re.search(r"NAME|NN", word)
    ]


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

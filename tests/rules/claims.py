"""Claims as sentences: what the text of each `claim(...)` in a chapter has to be.

A claim is read alone, as a line with a tick, so it starts as a sentence does and ends
with a full stop; a question is no claim.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# A sentence may start with a small letter only in a name, such as vLLM or lab.engine.
NAME = re.compile(r"[a-z]\w*([A-Z_.(]\w*)")


def claim_faults(path: Path, source: str) -> list[str]:
    """Claims of `path` that are no sentence, each with its line."""
    faults = []
    for line, text in claims(source):
        start, end = text.lstrip("`*\"'“(")[:40], text.rstrip("\"'”)")
        if not end.endswith((".", "!")):
            faults.append(f"{path}:{line}: the claim ends without a full stop: {text}")
        elif start[:1].islower() and not NAME.match(start):
            faults.append(f"{path}:{line}: the claim begins in its middle: {text}")
    return faults


def claims(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every claim; a computed part stands as a capital N."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "claim":
            yield node.lineno, _text(node.args[0]) if node.args else ""


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "N"

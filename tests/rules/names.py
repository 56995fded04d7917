"""Whether the labkit names that a chapter uses are there."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import Any


def plain_code(source: str) -> str:
    """A cell without IPython's `%` and `!` lines, so that Python can read it."""
    lines = source.splitlines()
    return "\n".join(
        line[: len(line) - len(line.lstrip())] + "pass"
        if line.lstrip().startswith(("%", "!"))
        else line
        for line in lines
    )


def name_faults(source: str, lab: type[Any]) -> list[str]:
    """Imports from labkit or server that fail, attributes that `lab` lacks."""
    faults = []
    for node in ast.walk(ast.parse(plain_code(source))):
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module):
            module = importlib.import_module(str(node.module))
            faults += [
                f"{node.module} has no {alias.name}"
                for alias in node.names
                if not hasattr(module, alias.name)
            ]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "lab":
            faults += [] if has(lab, node.attr) else [f"lab has no {node.attr}"]
    return faults


def has(kind: type[Any], name: str) -> bool:
    """True for a method, property or annotated field called `name`."""
    fields = {field for base in kind.__mro__ for field in _annotations(base)}
    return hasattr(kind, name) or name in fields


def _annotations(kind: type[Any]) -> set[str]:
    return set(inspect.get_annotations(kind))


def _is_ours(module: str | None) -> bool:
    return bool(module) and str(module).split(".")[0] in ("labkit", "server")

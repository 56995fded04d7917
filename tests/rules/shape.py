"""How large a file and a function may be, and what must be documented."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

MAX_FILE = 300  # lines; 250 is the wish
MAX_FUNCTION = 40
MAX_PARAMETERS = 6
MAX_SCRIPT = 200  # lines of a widget's JavaScript
MAX_CORE = 3000  # lines of code that compute a token, all files together
CORE = ("engine", "cache", "sampling", "model")  # folders of labkit
MIN_OPENING, MAX_OPENING = 1, 25  # lines of a module's docstring

LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def size_faults(path: Path, source: str) -> list[str]:
    """Files, functions and parameter lists that are too long."""
    num_lines = len(source.splitlines())
    limit = MAX_FILE if path.suffix == ".py" else MAX_SCRIPT
    faults = []
    if num_lines > limit:
        faults.append(f"{path}: {num_lines} lines, at most {limit}")
    if path.suffix == ".py":
        for function in functions(ast.parse(source)):
            faults += function_faults(path, function)
    return faults


def code_lines(source: str) -> int:
    """Lines of a Python source that are not blank, comment or docstring."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            opening = node.body[0]
            assert opening.end_lineno is not None
            lines.difference_update(range(opening.lineno, opening.end_lineno + 1))
    return len(lines)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function in `tree`, methods and inner ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def function_faults(path: Path, function: Function) -> list[str]:
    """What is too long about one function."""
    where = f"{path}:{function.lineno}: {function.name}()"
    assert function.end_lineno is not None
    num_lines = function.end_lineno - function.lineno + 1
    faults = []
    if num_lines > MAX_FUNCTION:
        faults.append(f"{where} has {num_lines} lines, at most {MAX_FUNCTION}")
    args = function.args
    given = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    num_parameters = len([name for name in given if name not in ("self", "cls")])
    if num_parameters > MAX_PARAMETERS:
        faults.append(f"{where} has {num_parameters} parameters: make a record")
    return faults


def doc_faults(path: Path, source: str) -> list[str]:
    """Modules and public symbols without a docstring, modules without `__all__`."""
    tree = ast.parse(source)
    faults = []
    opening = (ast.get_docstring(tree) or "").splitlines()
    if not MIN_OPENING <= len(opening) <= MAX_OPENING:
        faults.append(
            f"{path}: the module opens with {len(opening)} lines of docstring"
        )
    faults += [f"{path}: {name} has no docstring" for name in undocumented(tree)]
    names = {name for node in tree.body for name in assigned(node)}
    public = [n for n in definitions(tree) if not n.name.startswith("_")]
    if public and "__all__" not in names:
        faults.append(f"{path}: no __all__")
    return faults


def definitions(node: ast.Module | ast.ClassDef) -> list[ast.ClassDef | Function]:
    """Classes and functions defined directly in `node`."""
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [child for child in node.body if isinstance(child, kinds)]


def assigned(node: ast.stmt) -> Iterator[str]:
    """Names that a statement assigns to."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


def undocumented(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    """Dotted names of public definitions in `node` that have no docstring."""
    for child in definitions(node):
        if child.name.startswith("_"):
            continue
        if ast.get_docstring(child) is None and not is_overload(child):
            yield prefix + child.name
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{prefix}{child.name}.")


def is_overload(node: ast.ClassDef | Function) -> bool:
    """True for `@overload` and `@x.setter`, which another part describes."""
    marks = [ast.unparse(d).rsplit(".", 1)[-1] for d in node.decorator_list]
    return bool({"overload", "setter"} & set(marks))

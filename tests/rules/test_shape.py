"""Files and functions are short; every public symbol says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules import shape, tree

SOURCES = tree.python("labkit", "server", "scripts", "tests")
DOCUMENTED = [p for p in SOURCES if p.parts[0] in ("labkit", "server", "scripts")]
SCRIPTS = [
    p
    for p in tree.files()
    if p.suffix in (".js", ".mjs") and p.parts[:2] == ("labkit", "widgets")
]
HERE = Path("labkit/example.py")


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=str)
def test_files_and_functions_are_short(path: Path) -> None:
    assert shape.size_faults(path, tree.read(path)) == []


def test_what_computes_a_token_stays_short_enough_to_read() -> None:
    core = [p for p in SOURCES if p.parts[0] == "labkit" and p.parts[1] in shape.CORE]
    lines = {str(path): shape.code_lines(tree.read(path)) for path in core}
    assert sum(lines.values()) <= shape.MAX_CORE, lines


def test_only_code_is_counted() -> None:
    source = '"""Doc.\n\nMore."""\n\n# why\nX = (\n    1,  # one\n)\n'
    assert shape.code_lines(source) == 3
    assert shape.code_lines('def f():\n    """Doc."""\n    return """a\nb"""') == 3


@pytest.mark.parametrize("path", DOCUMENTED, ids=str)
def test_public_symbols_are_documented(path: Path) -> None:
    assert shape.doc_faults(path, tree.read(path)) == []


def test_a_long_file_is_found() -> None:
    assert len(shape.size_faults(HERE, "\n" * 301)) == 1
    assert shape.size_faults(HERE, "\n" * 300) == []


def test_a_long_script_is_found() -> None:
    assert len(shape.size_faults(Path("labkit/widgets/static/a.js"), "\n" * 201)) == 1


def test_a_long_method_is_found() -> None:
    source = "class A:\n    def f(self):\n" + "        pass\n" * 40
    assert len(shape.size_faults(HERE, source)) == 1


def test_a_seventh_parameter_is_found() -> None:
    assert len(shape.size_faults(HERE, "def f(a, b, c, d, e, *, f, g): ...")) == 1
    assert shape.size_faults(HERE, "def f(self, a, b, c, d, e, *, f): ...") == []


@pytest.mark.parametrize(
    "source",
    [
        "X = 1",
        '"""Doc."""\n__all__ = ["f"]\ndef f(): ...',
        '"""Doc."""\n__all__ = ["A"]\nclass A:\n    """Doc."""\n    def f(self): ...',
        '"""Doc."""\ndef f():\n    """Doc."""',
    ],
)
def test_a_missing_docstring_or_all_is_found(source: str) -> None:
    assert len(shape.doc_faults(HERE, source)) == 1


def test_private_symbols_need_no_docstring() -> None:
    assert shape.doc_faults(HERE, '"""Doc."""\ndef _f(): ...') == []

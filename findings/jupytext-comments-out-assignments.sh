#!/usr/bin/env bash
# jupytext 1.19.6, seen on 2026-11-29.
#
# One would expect the script that jupytext writes from a notebook to do what
# the notebook does, with only IPython's own commands turned into comments.
# Plain assignments to a variable called cat, ls, rm or cp are left alone, so
# nothing looks wrong at first. But an augmented assignment to such a variable
# ("ls += [2]", "rm -= 1"), and a comparison or an index after a space, are
# taken for shell commands and are written as comments. The script still runs,
# raises nothing, and computes something else than the notebook did.
#
# Read back by jupytext the comments become code again, so a test of the round
# trip passes. Whoever runs, lints or tests the paired script of a course or a
# report checks other code than its readers run.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet jupytext==1.19.6
"$dir/venv/bin/python" - <<'PY'
import contextlib
import io

import jupytext
import nbformat

CELL = """\
ls = [1]
ls += [2]
rm = 5
rm -= 1
cat = {"a": 1}
print(ls, rm, cat ["a"])"""


def printed(code):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue().strip()


book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
script = jupytext.writes(book, "py:percent")
print(script[script.index("# %%") :])
print("the notebook's cell prints:", printed(CELL))
print("the script prints:         ", printed(script))
assert "\n# ls += [2]\n" in script and "\n# rm -= 1\n" in script
assert "\nls = [1]\n" in script and "\nrm = 5\n" in script
assert printed(CELL) == "[1, 2] 4 1"
assert printed(script) == "[1] 5 1"
assert jupytext.reads(script, "py:percent").cells[0].source == CELL
PY

#!/usr/bin/env bash
# json_repair 0.64.4, seen on 2026-11-29.
#
# The package repairs what a model wrote when it is not quite JSON. One would
# expect it to change only what is broken: where an answer was cut before its
# last brace, the values that had arrived whole would come back as they were.
# They do not. Once the document as a whole does not parse, the values before
# the damage are read by looser rules as well: a backslash before a quote is
# lost (so a shell command or a program quotes something else), a code fence
# marked json at the start of a string is taken out of it and leaves an n, a
# list that is printed over several lines loses an empty last entry, and line
# breaks at the end of a string go. The option for streams, stream_stable=True,
# keeps only the last of these. No error is raised and nothing is logged.
#
# The arguments of a tool call that ended at the token limit look intact after
# the repair, and are another command.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet json_repair==0.64.4
"$dir/venv/bin/python" - <<'PY'
import json

import json_repair

CASES = [
    ({"cmd": 'echo "say \\"hi\\""', "wait": 5}, None, 'echo "say "hi""'),
    ({"text": '```json\n{"a": 1}\n```\n.', "n": 1}, None, 'n{"a": 1}\n```\n.'),
    ({"rows": [[1], []], "n": 1}, 1, [[1]]),
    ({"text": "a\n\n", "n": 1}, None, "a"),
]
for value, indent, expected in CASES:
    whole = json.dumps(value, indent=indent)
    cut = whole.removesuffix("}").rstrip()
    first = next(iter(value))
    got = json_repair.loads(cut)
    stable = json_repair.loads(cut, stream_stable=True)
    print(f"arrived:  {cut!r}\n  means:  {value[first]!r}")
    print(f"  repaired: {got[first]!r}, stream_stable: {stable[first]!r}")
    assert json_repair.loads(whole) == value
    assert got == value | {first: expected}
    assert stable == (value if expected == "a" else got)
PY

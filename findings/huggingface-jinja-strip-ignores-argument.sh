#!/usr/bin/env bash
# @huggingface/jinja 0.5.11 (npm) beside jinja2 3.1.6, seen on 2026-11-29.
#
# The npm package renders chat templates in browsers and in Node. Templates of
# reasoning models call Python's string methods, such as strip("\n") on a
# thought and lstrip("\n") on an answer, to cut line breaks only. One would
# expect the argument to count, or to be refused where it is not supported; an
# unknown filter, for one, is an error there. Instead strip, lstrip and rstrip
# take any argument and cut all white space whatever it says: an answer that
# begins with indented code loses its indentation, and a character that should
# have been cut stays.
#
# So the same template and the same messages give another prompt in JavaScript
# than on the server: other tokens, no hit in a prefix cache that the server
# filled, and a turn of Python code that no longer parses.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet jinja2==3.1.6
cd "$dir"
npm install --silent --no-audit --no-fund @huggingface/jinja@0.5.11 >/dev/null
cat >cases.json <<'JSON'
[["<think>{{ text.strip('\\n') }}</think>", "\n    if x:\n        y()\n"],
 ["{{ text.lstrip('\\n') }}", "\n\n    return 1"],
 ["{{ text.rstrip('\\n') }}|", "a line that ends in two spaces  \n"],
 ["{{ text.rstrip('.') }}", "Done..."],
 ["{{ text.strip() }}", "  both agree without an argument \n"]]
JSON
cat >render.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";
const cases = JSON.parse(readFileSync("cases.json", "utf8"));
console.log(JSON.stringify(cases.map(([template, text]) => new Template(template).render({ text }))));
JS
node render.mjs >script.json
venv/bin/python - <<'PY'
import json

import jinja2

cases = json.load(open("cases.json"))
python = [jinja2.Environment().from_string(t).render(text=text) for t, text in cases]
script = json.load(open("script.json"))
for (template, _), ours, theirs in zip(cases, python, script, strict=True):
    print(f"{template}\n  jinja2:             {ours!r}\n  @huggingface/jinja: {theirs!r}")
assert python[0] == "<think>    if x:\n        y()</think>"
assert script[0] == "<think>if x:\n        y()</think>"
assert (python[1], script[1]) == ("    return 1", "return 1")
assert (python[2][-3:], script[2][-3:]) == ("  |", "es|")
assert (python[3], script[3]) == ("Done", "Done...")
assert python[4] == script[4]
PY

#!/usr/bin/env bash
# gguf 0.19.0 (the Python package) beside @huggingface/gguf 0.4.6 (npm), seen
# on 2026-11-29.
#
# The metadata of a GGUF file may hold arrays of arrays, and arrays without an
# entry. One would expect the Python package to read back what it wrote, or to
# refuse it. It writes arrays of arrays rightly (the npm package reads them as
# they were), but its own reader joins them into one flat list, so that two
# different values come back as the same one and the lengths of the inner ones
# are gone. An empty list given to add_array is not written at all: the key is
# missing from the file. Nothing is raised or logged in either case, although
# add_key_value does refuse the empty list.
#
# A converter that checks its work by reading the file with the same package
# cannot see a key that it dropped, and a program that compares two files by
# their metadata takes different ones for equal.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet gguf==0.19.0
cd "$dir"
npm install --silent --no-audit --no-fund @huggingface/gguf@0.4.6 >/dev/null
venv/bin/python - <<'PY'
import gguf

WRITTEN = {"x.first": [[1, 2], [3]], "x.second": [[1], [2, 3]], "x.none": []}
writer = gguf.GGUFWriter("file.gguf", "llama")
for key, value in WRITTEN.items():
    writer.add_array(key, value)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
fields = gguf.GGUFReader("file.gguf").fields
read = {key: fields[key].contents() if key in fields else "no such key" for key in WRITTEN}
print("written:    ", WRITTEN)
print("Python read:", read)
assert read == {"x.first": [1, 2, 3], "x.second": [1, 2, 3], "x.none": "no such key"}
PY
node --input-type=module - <<'JS'
import assert from "node:assert";
import { gguf } from "@huggingface/gguf";

const { metadata } = await gguf("file.gguf", { allowLocalFile: true });
console.log("npm read:   ", metadata["x.first"], metadata["x.second"], metadata["x.none"]);
assert.deepStrictEqual(metadata["x.first"], [[1, 2], [3]]);
assert.deepStrictEqual(metadata["x.second"], [[1], [2, 3]]);
assert(!("x.none" in metadata));
JS

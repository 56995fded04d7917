#!/usr/bin/env bash
# best-effort-json-parser 1.5.1 (npm), seen on 2026-11-29.
#
# The package parses JSON that is still being streamed. One would expect every
# prefix of a valid object to parse to an object, as its name says. That holds
# until one of the strings contains three backticks. Then the parser takes what
# follows them for the document: the prefixes from there on raise an error, or,
# where the code fence ends its string and more follows, come back as a few
# characters of punctuation, as a string, and nothing is raised. The complete
# document parses rightly again, so a test of the end result passes.
#
# A tool call that writes a README or a chat answer in a JSON field contains a
# code fence nearly always, and a page that draws such a call while it arrives
# gets no object for the rest of the stream.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund best-effort-json-parser@1.5.1 >/dev/null
node --input-type=module - <<'JS'
import assert from "node:assert";

const say = console.log;
console.log = console.warn = console.error = () => {}; // the package reports each failure
const { parse } = await import("best-effort-json-parser");
const kinds = (text) => {
  const count = {};
  for (let end = 1; end < text.length; end++) {
    let kind;
    try {
      const value = parse(text.slice(0, end));
      kind = typeof value === "object" && value !== null ? "object" : JSON.stringify(value);
    } catch (error) {
      kind = error.name;
    }
    count[kind] = (count[kind] ?? 0) + 1;
  }
  return count;
};

const plain = JSON.stringify({ path: "README.md", text: "Build it:\nmake\nDone." });
const fenced = JSON.stringify({ path: "README.md", text: "Build it:\n```\nmake\n```\nDone." });
const list = JSON.stringify({ marks: ["```json"], name: "fence" });
for (const text of [plain, fenced, list]) say(text, "\n  prefixes:", kinds(text));
assert.deepStrictEqual(kinds(plain), { object: plain.length - 1 });
assert(kinds(fenced).SyntaxError >= 15);
assert.deepStrictEqual(parse(fenced), JSON.parse(fenced));
const cut = '{"marks":["```json"],"name":"fen';
say(cut, "gives", JSON.stringify(parse(cut)));
assert.strictEqual(parse(cut), "],");
JS

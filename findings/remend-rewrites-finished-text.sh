#!/usr/bin/env bash
# remend 1.4.0 (npm), judged by commonmark 0.31.2 (npm), seen on 2026-11-29.
#
# The package mends Markdown that is still being streamed, so that half a bold
# word or half a link does not flicker. One would expect text that is complete
# to come back unchanged. But any bracket that never closes, and any odd star,
# is taken for one that will still close, although CommonMark shows it as it
# is, however much text has followed. A half-open interval makes the rest of
# the paragraph a link to a made-up address; the star of a C comment or a glob
# makes the rest italic and adds a star; a star or a bracket in an indented
# code block adds text to the code. Fenced blocks and inline code are spared.
#
# Nothing tells the function that the stream has ended, so a page that calls it
# on each new piece keeps the damage in the finished answer. Such a page has to
# stop calling it with the last piece.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund remend@1.4.0 commonmark@0.31.2 >/dev/null
node --input-type=module - <<'JS'
import assert from "node:assert";
import { HtmlRenderer, Parser } from "commonmark";
import remend from "remend";

const html = (text) => new HtmlRenderer().render(new Parser().parse(text)).trim();
const LINK = "](streamdown:incomplete-link)";
const finished = [
  ["A draw from [0, 1) is uniform.", LINK],
  ["In C, /* this */ is a comment.", "*"],
  ["It removes a.log, *.tmp and nothing else.", "*"],
  ["The loop:\n\n    x = a[i", LINK],
];
for (const [text, added] of finished) {
  console.log(JSON.stringify(text));
  console.log("  as written:", JSON.stringify(html(text)));
  console.log("  as mended: ", JSON.stringify(html(remend(text))));
  assert.strictEqual(remend(text), text + added);
}
assert.strictEqual(
  html(remend(finished[0][0])),
  '<p>A draw from <a href="streamdown:incomplete-link">0, 1) is uniform.</a></p>',
);
for (const spared of ["A draw from `[0, 1)` is uniform.", "```c\nint *p;\n```", "2 * 3 = 6"])
  assert.strictEqual(remend(spared), spared);
JS

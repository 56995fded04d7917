#!/usr/bin/env bash
# fetch-event-stream 0.1.6 (npm) beside eventsource-parser 4.1.3 (npm), seen on
# 2026-11-29.
#
# The package reads server-sent events from a fetch response. The standard has
# a reader drop one space after the colon and join the data lines of an event
# with a line break, also where they are empty. One would expect a token that
# begins with a space, or is a line break, to arrive as it was sent. Instead
# all white space after the colon is dropped, a no-break space or a tab too,
# and empty data lines are not joined at all. A stream of plain text tokens,
# one to an event, thus loses the space before each word, every indentation,
# and each line break. JSON in the events hides this, since nothing in it
# depends on white space at its start.
#
# Whoever sends bare tokens instead of JSON gets prose that is one long word in
# some clients and is right in others, from the same bytes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund fetch-event-stream@0.1.6 eventsource-parser@4.1.3 >/dev/null
node --input-type=module - <<'JS'
import assert from "node:assert";
import { createParser } from "eventsource-parser";
import { events } from "fetch-event-stream";

const event = (token) => token.split("\n").map((line) => `data: ${line}\n`).join("") + "\n";
const read = async (tokens) => {
  const stream = tokens.map(event).join("");
  const fetched = [];
  for await (const { data } of events(new Response(stream))) fetched.push(data);
  const parsed = [];
  createParser({ onEvent: ({ data }) => parsed.push(data) }).feed(stream);
  console.log(JSON.stringify(tokens.join("")));
  console.log("  eventsource-parser:", JSON.stringify(parsed.join("")));
  console.log("  fetch-event-stream:", JSON.stringify(fetched.join("")));
  assert.deepStrictEqual(parsed, tokens);
  return fetched.join("");
};

assert.strictEqual(await read(["Two", " plus", " two", " is", " four", "."]), "Twoplustwoisfour.");
assert.strictEqual(await read(["if x:", "\n", "    y()", "\n", "\tz()"]), "if x:y()z()");
assert.strictEqual(await read(["10", "\u00a0km"]), "10km");
assert.strictEqual(await read(['{"a": " b\\n"}']), '{"a": " b\\n"}');
JS

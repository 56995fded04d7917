#!/usr/bin/env bash
# untruncate-json 0.0.1 (npm), seen on 2026-11-29.
#
# The package closes what is still open in JSON that arrives in pieces. One
# would expect it to leave a complete document alone, and to make each prefix
# of one parseable. It does, until a string ends with a \uXXXX escape: the
# quote that closes the string is counted as part of the escape. A complete
# object whose last string ends that way gets a quote and a brace too many, and
# while the next key or value streams in, the result cannot be parsed either.
#
# Python's json.dumps writes every character outside ASCII as such an escape
# unless told otherwise, so a server in Python sends them for any answer that
# is not English: a word that ends in an accent, a name in Chinese, an emoji.
# Tests with English text show nothing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund untruncate-json@0.0.1 >/dev/null
node --input-type=module - <<'JS'
import assert from "node:assert";
import untruncate from "untruncate-json";

const close = untruncate.default ?? untruncate;
const parses = (text) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
const brokenPrefixes = (text) => {
  const broken = [];
  for (let end = 1; end <= text.length; end++)
    if (!parses(close(text.slice(0, end)))) broken.push(text.slice(0, end));
  return broken;
};

const plain = '{"drink":"coffee","cups":2}';
assert.strictEqual(close(plain), plain);
assert.deepStrictEqual(brokenPrefixes(plain), []);

const whole = '{"drink":"caf\\u00e9"}';
assert(parses(whole));
console.log(whole, "becomes", close(whole));
assert.strictEqual(close(whole), '{"drink":"caf\\u00e9"}"}');

const longer = '{"drink":"caf\\u00e9","cups":2}';
const broken = brokenPrefixes(longer);
console.log(`${broken.length} of ${longer.length} prefixes of ${longer} stay broken, among them`);
console.log(`  ${broken[broken.length - 1]}  made  ${close(broken[broken.length - 1])}`);
assert(broken.includes('{"drink":"caf\\u00e9","'));
JS

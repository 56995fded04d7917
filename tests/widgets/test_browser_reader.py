"""The page's reader of streams, in a bare page: the same chunks as Python's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.stream_vectors import CASES

pytestmark = pytest.mark.browser

SCRIPT = Path("labkit/widgets/static/stream_reader.js")
READ = """([source, streams]) => {
  const { StreamReader } = new Function(`${source}; return { StreamReader };`)();
  const read = (pieces) => {
    const [reader, decoder] = [new StreamReader(), new TextDecoder()];
    const texts = pieces.map((piece) => decoder.decode(piece, { stream: true }));
    return texts.flatMap((text) => reader.feed(text, 5));
  };
  return streams.map((stream) => {
    const bytes = new TextEncoder().encode(stream);
    return [read([bytes]), read([...bytes].map((byte) => new Uint8Array([byte])))];
  });
}"""
COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens")


def as_vector(chunk: dict[str, Any]) -> dict[str, Any]:
    usage = chunk["usage"]
    counts = [usage[name] for name in COUNTS] if usage else None
    return {**{k: chunk[k] for k in ("kind", "text", "finish")}, "usage": counts}


def test_the_page_makes_the_same_chunks_of_every_vector(chrome: Browser) -> None:
    cases = [case for case in CASES if case.dialect == "openai"]
    page = chrome.new_page()
    source = SCRIPT.read_text(encoding="utf-8")
    results = page.evaluate(READ, [source, ["".join(case.frames) for case in cases]])
    page.close()
    for case, (whole, bytewise) in zip(cases, results, strict=True):
        assert [as_vector(chunk) for chunk in whole] == case.chunks, case.name
        assert [as_vector(chunk) for chunk in bytewise] == case.chunks, case.name
        assert {chunk["ms"] for chunk in whole} <= {5}

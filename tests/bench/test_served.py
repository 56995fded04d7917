"""The server's rows on the tiny model behind real sockets, and what a stream counts."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from tests.bench import rows_more
from tests.bench.contenders.ours import run
from tests.bench.record import Record
from tests.bench.rows import SMALL, Bench
from tests.bench.served import Served, Stream, request_bytes
from tests.bench.team import NotMeasured
from tests.bench.texts import Prompts
from tests.support.engines import tiny_engine

TINY = [sys.executable, "-m", "tests.support.tiny_server", "--port", "0"]
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
TEXT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"completion_tokens":7}}\n\n'
DONE = b"data: [DONE]\n\n"


class Alone:
    """The engine's side of the two rows; its speed means nothing here."""

    def ask(self, name: str, verb: str, *arguments: Any) -> Any:
        if verb == "chat_ids":
            return [100, 101, 102]
        prompts, num_tokens = arguments
        found = run(tiny_engine(), prompts, num_tokens)
        return {"tokens": found["decoded"], "wall_s": found["wall_s"]}


@pytest.mark.parametrize(
    ("row", "key"),
    [(rows_more.server, "server_vs_engine"), (rows_more.server32, "server32")],
)
def test_the_servers_rows_have_samples_of_every_round(row: Any, key: str) -> None:
    team: Any = Alone()
    bench = Bench(team, Record(2, ()), Prompts(lambda _: [3]), 2, lambda: None, SMALL)
    row(replace(bench, serve=lambda: Served(TINY)))
    assert len(bench.record.ratios[key]) == 2
    assert min(bench.record.ratios[key]) > 0


def test_a_server_that_cannot_start_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="the server ended while starting"):
        Served([sys.executable, "-c", "raise SystemExit(3)", "--"]).__enter__()


def test_a_stream_is_timed_from_its_first_text_to_its_last() -> None:
    stream = Stream()
    for time_s, piece in enumerate([ROLE, TEXT, TEXT, USAGE, DONE]):
        stream.feed(piece, float(time_s))
    assert (stream.first_s, stream.last_s) == (1.0, 2.0)
    assert stream.is_whole
    assert stream.usage() == {"completion_tokens": 7}


def test_streams_that_broke_off_or_are_short_are_not_counted() -> None:
    whole, cut = Stream(bytearray(USAGE + DONE)), Stream(bytearray(USAGE))
    rows_more.whole([whole], 7)
    with pytest.raises(NotMeasured, match="1 of 2 streams were complete"):
        rows_more.whole([whole, cut], 7)
    with pytest.raises(NotMeasured, match="0 of 1 streams were complete"):
        rows_more.whole([whole], 8)


def test_a_request_asks_for_all_its_tokens_and_their_count() -> None:
    request = request_bytes("127.0.0.1", "tiny", "Why?", 9)
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    for part in (b'"max_tokens": 9', b'"ignore_eos": true', b'"include_usage": true'):
        assert part in body


def test_a_new_process_runs_code_that_can_be_read() -> None:
    compile(rows_more.FIRST_TOKEN, "first_token", "exec")

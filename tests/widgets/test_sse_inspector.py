"""Two readers of the same bytes, both dialects, every fault."""

from __future__ import annotations

from itertools import pairwise

import pytest

from labkit.errors import ConfigError
from labkit.net.relay import relay
from labkit.records import Faults, Usage
from labkit.text.sse import SSEParser
from labkit.widgets import SSEInspector
from labkit.widgets.sse_inspection import inspect, table
from labkit.widgets.sse_reading import blocks, naive_data, reading
from labkit.widgets.sse_words import fault_words
from tests.support.requests import PIECES, anthropic_frames, openai_frames
from tests.support.stream_vectors import CASES, Case

TEXT = "".join(PIECES)
FRAMES = {"openai": openai_frames(), "anthropic": anthropic_frames()}
DIALECTS = pytest.mark.parametrize("name", FRAMES)


@DIALECTS
def test_both_readers_agree_on_whole_frames(name) -> None:
    found = inspect(name, FRAMES[name], Faults(), relay)
    assert found.real == found.naive
    assert found.real.text == TEXT
    assert found.real.usage == Usage(34, 10)
    assert found.real.is_complete


@pytest.mark.parametrize("size", [1, 3, 7, 64, 1400])
@DIALECTS
def test_real_reader_does_not_mind_how_bytes_are_cut(name, size) -> None:
    faults = Faults(chunk_bytes=size, split_utf8=True)
    found = inspect(name, FRAMES[name], faults, relay)
    assert (found.real.text, found.real.usage) == (TEXT, Usage(34, 10))
    assert found.naive.num_lost > 0
    assert found.naive.text != TEXT


@DIALECTS
def test_joined_frames_do_not_hurt_either_reader(name) -> None:
    found = inspect(name, FRAMES[name], Faults(coalesce=4), relay)
    assert found.real.text == found.naive.text == TEXT


@pytest.mark.parametrize(
    ("name", "known"), [("openai", None), ("anthropic", Usage(34, 1))]
)
def test_cut_stream_loses_openai_s_usage_and_keeps_anthropic_s(name, known) -> None:
    half = sum(map(len, FRAMES[name])) // 2
    found = inspect(name, FRAMES[name], Faults(drop_at=half), relay)
    assert not found.real.is_complete
    assert found.real.usage == known
    assert TEXT.startswith(found.real.text)


@DIALECTS
def test_frame_sent_twice_is_read_twice(name) -> None:
    where = next(i for i, f in enumerate(FRAMES[name]) if b"answer" in f)
    found = inspect(name, FRAMES[name], Faults(duplicate_at=where), relay)
    assert found.real.text.count(" answer") == 2


def test_stall_moves_the_pieces_after_it() -> None:
    found = inspect("openai", FRAMES["openai"], Faults(stall_s=2.0), relay)
    times = [piece.time_ms for piece in found.pieces]
    assert times[0] == 0
    assert times[-1] == 2000


@DIALECTS
def test_blocks_cover_all_bytes_and_hold_every_event(name) -> None:
    data = b"".join(FRAMES[name])
    found = blocks(data)
    assert [(b.start, b.end) for b in found[:1]] == [(0, len(FRAMES[name][0]))]
    assert all(a.end == b.start for a, b in pairwise(found))
    assert found[-1].end == len(data)
    assert [b.event for b in found if b.event] == SSEParser().feed(data)


def test_unfinished_block_has_no_event() -> None:
    first, rest = blocks(b"data: 1\n\ndata: 2")
    assert first.event is not None
    assert (rest.event, rest.raw) == (None, "data: 2")


def test_naive_reader_keeps_no_half_frames() -> None:
    assert naive_data([b'data: {"a"', b": 1}\n\n"]) == ['{"a"']
    assert naive_data([b"data: 1\n\ndata: 2\n\n"]) == ["1", "2"]


def test_data_that_is_no_object_is_lost() -> None:
    assert reading(["[1]", "3", "{"]).num_lost == 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_any_stream_is_read_as_the_client_reads_it(case: Case) -> None:
    recording = {case.name: [frame.encode() for frame in case.frames]}
    widget = SSEInspector(recording, relay)
    assert (widget.real.text, widget.real.usage) == (case.text, case.usage)
    for faults in (Faults(chunk_bytes=1), Faults(chunk_bytes=7, split_utf8=True)):
        widget.show(faults=faults)
        assert (widget.real.text, widget.real.usage) == (case.text, case.usage)


def test_a_row_says_the_whole_usage_where_an_event_tells_only_a_part() -> None:
    widget = SSEInspector(FRAMES, relay)
    widget.show("anthropic")
    said = [block["event"] for block in widget.result["blocks"]]
    assert said[0] == "usage 34 + 1 tokens"
    assert said[-2:] == ["usage 34 + 10 tokens", "end"]


def test_controls_change_the_picture() -> None:
    widget = SSEInspector(FRAMES, relay)
    before = widget.still()
    widget.set_state({"faults": {**widget.faults, "chunk_bytes": 7}})
    assert widget.still() != before
    assert widget.result["num_pieces"] == len(widget.inspection.pieces) > 100
    widget.set_state({"dialect": "anthropic"})
    assert widget.record().title.startswith("anthropic:")


def test_show_does_what_the_controls_do() -> None:
    widget = SSEInspector(FRAMES, relay)
    drawing = widget.show("anthropic", Faults(chunk_bytes=64))
    assert "the naive reader understands 1 of 15 events" in drawing.title
    assert widget.real.usage == Usage(34, 10)
    assert widget.naive.num_lost > 0


def test_page_shows_bytes_that_are_no_character_in_hex() -> None:
    widget = SSEInspector(FRAMES, relay)
    widget.show("openai", Faults(split_utf8=True))
    cut = [piece["text"] for piece in widget.result["pieces"] if piece["is_cut"]]
    assert cut
    assert any(r"\xf0" in text for text in cut)


def without_end(frames: list[bytes]) -> list[bytes]:
    return [frame for frame in frames if b"[DONE]" not in frame]


def test_only_a_lost_connection_is_called_cut_off() -> None:
    widget = SSEInspector({"no end": without_end(FRAMES["openai"])}, relay)
    assert "All 2,029 bytes arrived; this recording has no event" in widget.summary()
    assert widget.result["real"]["end"] == "not in the recording"
    widget.show(faults=Faults(drop_at=100))
    assert "The connection was lost after 100 of 2,029 bytes" in widget.summary()
    assert widget.result["real"]["end"] == "lost with the connection"


def test_readers_agree_only_where_neither_lost_anything() -> None:
    found = inspect("x", [b"data: {}\n\n", b"data: 5\n\n"], Faults(), relay)
    assert found.real.num_lost == 1
    assert found.agrees
    naive = inspect("x", [b"data: {}\n\n", b"event: a\n\n"], Faults(), relay)
    assert (naive.real.text, naive.real.num_lost) == ("", 0)
    assert not naive.agrees
    assert "the naive reader understands 1 of 1 events" in table(naive).title


def test_one_piece_is_no_pieces() -> None:
    found = inspect("x", [b"data: {}\n\n"], Faults(), relay)
    assert table(found).title == "x: 1 piece, 1 frame; both readers agree"


@DIALECTS
def test_rows_show_the_delta_and_not_what_every_frame_repeats(name) -> None:
    widget = SSEInspector(FRAMES, relay)
    widget.show(name)
    row = next(row for row in widget.result["blocks"] if "answer" in row["text"])
    piece = next(row for row in widget.result["pieces"] if "answer" in row["text"])
    for brief in (row["brief"], piece["brief"]):
        assert brief.startswith("…")
        assert " answer" in brief[:40]


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (Faults(), "No fault"),
        (Faults(chunk_bytes=3, coalesce=2), "Cut into pieces of 3 bytes, 2 frames jo"),
        (Faults(duplicate_at=0, stall_s=1.5), "A stall of 1.5 s half-way, frame 1 sen"),
    ],
)
def test_faults_are_told_in_plain_words(faults, words) -> None:
    assert fault_words(faults).startswith(words)


def test_unknown_names_are_refused() -> None:
    widget = SSEInspector(FRAMES, relay)
    with pytest.raises(ConfigError, match=r"did you mean openai\?"):
        widget.show("openi")
    with pytest.raises(ConfigError, match="Faults has no setting 'loss'"):
        widget.faults = {"loss": 3}
    with pytest.raises(ConfigError, match="give at least one"):
        SSEInspector({}, relay)

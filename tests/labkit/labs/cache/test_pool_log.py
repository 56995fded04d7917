"""Frames of a real engine's pool, and key norms only while the keys are there."""

from __future__ import annotations

from labkit.labs.cache.pool_log import PoolLog
from labkit.records import BlockEventKind
from tests.support.engines import HELLO, knobs, tiny_engine


def test_every_step_leaves_a_frame_and_a_report() -> None:
    log = PoolLog(tiny_engine())
    log.engine.add(HELLO, knobs(3), request="a")
    assert log.step() is log.frames[-1]
    log.drain()
    assert len(log.frames) == len(log.reports) + 1 == 4
    assert log.step() is None


def test_frames_hold_what_happened_to_blocks() -> None:
    log = PoolLog(tiny_engine())
    log.engine.add(HELLO, knobs(2), request="a")
    log.drain()
    kinds = [event.kind for frame in log.frames for event in frame.events]
    assert kinds[0] is BlockEventKind.TAKE
    assert BlockEventKind.FREE in kinds


def test_key_norms_have_a_row_a_slot_and_a_column_a_layer() -> None:
    log = PoolLog(tiny_engine())
    log.engine.add(HELLO, knobs(2), request="a")
    log.step()
    norms = log.key_norms(log.frames[-1], 0)
    assert [len(row) for row in norms] == [2] * 4
    assert all(value > 0 for row in norms for value in row)


def test_block_that_was_overwritten_keeps_the_norms_of_its_step() -> None:
    log = PoolLog(tiny_engine(num_blocks=4))
    log.engine.add(HELLO, knobs(1), request="a")
    log.drain()
    before = log.key_norms(log.frames[1], 0)
    log.engine.add(tuple(range(150, 165)), knobs(1), request="b")
    log.drain()
    assert log.key_norms(log.frames[1], 0) == before
    assert log.key_norms(log.frames[-1], 0)[: len(before)] != before


def test_block_without_tokens_has_no_norms() -> None:
    log = PoolLog(tiny_engine())
    assert log.key_norms(log.frames[0], 0) == []


def test_closed_log_records_no_more() -> None:
    log = PoolLog(tiny_engine())
    log.close()
    log.engine.add(HELLO, knobs(1))
    log.engine.step()
    assert len(log.frames) == 1

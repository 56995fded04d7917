"""Frames of a real engine's pool, whoever steps it."""

from __future__ import annotations

import pytest

from labkit.errors import NeverFits
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


def test_chat_of_the_reader_is_queued_and_its_first_step_run() -> None:
    log = PoolLog(tiny_engine())
    frame = log.ask([{"role": "user", "content": "Hi"}])
    assert frame is log.frames[1]
    assert log.reports[0].scheduled
    with pytest.raises(NeverFits):
        log.ask([{"role": "user", "content": "word " * 5000}])
    assert log.engine.has_work, "the first chat goes on"


def test_closed_log_records_no_more() -> None:
    log = PoolLog(tiny_engine())
    log.close()
    log.engine.add(HELLO, knobs(1))
    log.engine.step()
    assert len(log.frames) == 1

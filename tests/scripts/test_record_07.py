"""The recorder of chapter 7 on a tiny model."""

from __future__ import annotations

from labkit.clock import SystemClock
from labkit.labs.cache.prefix_probe import PrefixProbe
from scripts.record_07 import gaps, keep, side_channel
from tests.support.engines import tiny_engine
from tests.support.requests import trace


def test_looks_come_in_four_kinds() -> None:
    clock = SystemClock()
    engine = tiny_engine(clock, num_blocks=512, max_step_tokens=512)
    found = side_channel(PrefixProbe(engine, clock), looks=2)
    assert {name: len(times) for name, times in found.items()} == {
        "shared_hit_ms": 2,
        "shared_miss_ms": 2,
        "salted_hit_ms": 2,
        "salted_miss_ms": 2,
    }


def test_gaps_are_milliseconds() -> None:
    assert gaps([1.0, 1.5, 1.75]) == [500.0, 250.0]


def test_trace_is_kept_with_its_provenance(tmp_path, capsys) -> None:
    life = trace()
    life.meta["origin_s"] = 12.5
    keep(life, {"date": "2026-11-22"}, tmp_path, "first")
    text = (tmp_path / "07_first.json").read_text(encoding="utf-8")
    assert '"date": "2026-11-22"' in text
    assert "origin_s" not in text
    assert "07_first.json" in capsys.readouterr().out

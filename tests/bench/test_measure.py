"""How often each row is measured: rows that only write down what they are given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import __main__ as bench_main
from tests.bench.record import Record
from tests.bench.rows import SMALL, Bench


class Mute:
    """A team that has no text and no facts to give."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}

    def ask(self, *_: Any) -> list[int]:
        return [1]


def test_rows_whose_bound_is_near_take_more_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, int] = {}

    def row(name: str) -> bench_main.Row:
        def take(bench: Bench) -> None:
            seen[name] = bench.rounds

        return take, 2, ()

    monkeypatch.setattr(bench_main, "ROWS", {n: row(n) for n in ("decode", "server")})
    team: Any = Mute()
    bench_main.measure(team, Record(5, ("decode", "server")), SMALL)
    assert seen == {"decode": 5, "server": 15}

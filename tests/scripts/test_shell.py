"""A program's output goes to its log; an interruption leaves no program behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.shell import run_logged, teller

TALKS = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
STAYS = "import sys, time; print('here', flush=True); time.sleep(600)"


def test_both_outputs_are_logged_and_the_exit_code_comes_back(tmp_path: Path) -> None:
    log, seen = tmp_path / "deep" / "run.log", list[str]()
    code = run_logged([sys.executable, "-c", TALKS], log, on_line=seen.append)
    assert code == 3
    assert sorted(seen) == ["err", "out"]
    assert sorted(log.read_text(encoding="utf-8").split()) == ["err", "out"]


def test_an_interruption_ends_the_program(tmp_path: Path) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged([sys.executable, "-c", STAYS], tmp_path / "log", on_line=interrupt)


def test_without_a_terminal_a_line_now_and_then_says_how_it_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([0.0, 3.0, 16.0, 16.0, 20.0, 40.0, 40.0])
    tell = teller(lambda: next(times))
    for text in ("one", "two", "three", "four"):
        tell(text)
    assert capsys.readouterr().out == "  ... two\n  ... four\n"

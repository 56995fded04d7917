"""Every group runs; one that failed or could not run fails the whole."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts import testing
from scripts.problem import Problem
from scripts.shell import say
from scripts.testing import Check, Groups, Result

PYTHON = Path("python")


def test_groups_run_from_fast_to_slow() -> None:
    names = [check.name for check in testing.all_checks(PYTHON)]
    assert names[:4] == ["format", "lint", "types", "rules"]
    assert names[-2:] == ["browser", "chapters"]


def test_unit_and_browser_tests_together_leave_none_out() -> None:
    commands = {c.name: " ".join(c.commands[0]) for c in testing.all_checks(PYTHON)}
    assert " tests --ignore" in commands["unit"]
    for group in ("rules", "scripts", "server"):
        assert f"--ignore=tests/{group}" in commands["unit"]
        assert any(f" tests/{group}" in command for command in commands.values())
    assert "not browser" in commands["unit"]
    assert "not browser" in commands["server"]
    assert commands["browser"].endswith("-m browser")


def test_base_text_cache_and_dialects_are_gated_at_every_branch() -> None:
    gate = testing.coverage(PYTHON)[-1]
    assert "--fail-under=100" in gate
    for part in (
        "labkit/trace.py",
        "labkit/text/*",
        "labkit/cache/*",
        "labkit/dialects/*",
    ):
        assert part in gate[-1]


def test_no_chapter_at_all_cannot_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert testing.notebooks(PYTHON)[-1][-1] == testing.SOLVED


def test_a_group_that_does_not_exist_is_one_sentence() -> None:
    with pytest.raises(Problem, match="no group 'unti': use format, lint"):
        testing.choose(testing.all_checks(PYTHON), ["unti"])


def test_groups_keep_their_order_however_they_are_named() -> None:
    chosen = testing.choose(testing.all_checks(PYTHON), ["rules", "lint"])
    assert [check.name for check in chosen] == ["lint", "rules"]


@pytest.mark.parametrize(("passes", "code"), [(True, 0), (False, 1)])
def test_one_failed_group_fails_the_whole_and_the_rest_still_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    passes: bool,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)

    def do(root: Path, check: Check, *, is_shown: bool) -> Result:
        assert (root, is_shown) == (tmp_path, True)
        return Result(check.name, passed=passes or check.name != "format", wall_s=1.0)

    assert testing.run(tmp_path, PYTHON, ["format", "lint"], do) == code
    assert f"{1 + passes} groups passed, {1 - passes} failed" in capsys.readouterr().out


def test_a_group_runs_its_commands_until_one_fails(tmp_path: Path) -> None:
    mark = ("touch", "reached")
    result = testing.run_check(tmp_path, Check("x", (("false",), mark)))
    assert not result.passed
    assert not (tmp_path / "reached").exists()
    assert testing.run_check(tmp_path, Check("x", (mark,))).passed


def test_the_summary_says_why_a_group_could_not_run() -> None:
    refused = [Result("browser", False, 0.0, "There is no chromium.")]
    text = testing.summary(refused, 0.0)
    assert "FAILED  browser" in text
    assert "There is no chromium." in text


def test_a_group_that_starts_early_runs_beside_the_first_and_is_shown_in_its_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    is_running, may_end = threading.Event(), threading.Event()

    def do(_: Path, check: Check, *, is_shown: bool) -> Result:
        if check.name == "early":
            assert not is_shown
            is_running.set()
            assert may_end.wait(60)
            return Result("early", True, 1.0, output="early's own words")
        assert is_running.wait(60)
        say(f"{check.name}'s words")
        may_end.set()
        return Result(check.name, True, 1.0)

    with ThreadPoolExecutor() as pool:
        groups = Groups(tmp_path, do, pool)
        groups.start(Check("early", ()))
        for name in ("first", "early", "last"):
            assert groups.result(Check(name, ())).passed
    shown = capsys.readouterr().out
    words = ("=== first", "first's words", "=== early", "early's own words", "=== last")
    places = [shown.index(each) for each in words]
    assert places == sorted(places)


def test_a_group_that_is_alone_waits_for_those_beside_it(tmp_path: Path) -> None:
    ended: list[str] = []

    def do(_: Path, check: Check, *, is_shown: bool) -> Result:
        if not is_shown:
            go_on.wait(60)
        ended.append(check.name)
        go_on.set()
        return Result(check.name, True, 1.0)

    go_on = threading.Event()
    with ThreadPoolExecutor() as pool:
        groups = Groups(tmp_path, do, pool)
        groups.start(Check("early", ()))
        for check in (Check("first", ()), Check("alone", (), is_alone=True)):
            groups.result(check)
    assert ended == ["first", "early", "alone"]


def test_a_group_that_is_not_shown_keeps_what_it_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check = Check("x", (("sh", "-c", "echo said; echo complained >&2"),))
    assert testing.run_check(tmp_path, check, is_shown=False).output == (
        "said\ncomplained\n"
    )
    assert "said" not in capfd.readouterr().out


def test_the_browsers_tests_run_beside_others_and_what_measures_time_alone() -> None:
    checks = testing.all_checks(PYTHON)
    assert [check.name for check in checks if check.starts_early] == ["browser"]
    assert [check.name for check in checks if check.is_alone] == ["server", "chapters"]

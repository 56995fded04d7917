"""Contenders' processes: they answer in order, fail in one line and leave with us."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.bench.team import ROOT, NotMeasured, Team, worker_env


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_answers_what_it_is_asked() -> None:
    with Team({}) as team:
        assert team.ask("fake", "echo", {"a": [1, 2.5, None]}) == {"a": [1, 2.5, None]}
        assert team.ask("fake", "echo", "ü") == "ü"


def test_a_failing_verb_is_one_sentence_and_the_worker_goes_on() -> None:
    with Team({}) as team:
        with pytest.raises(NotMeasured, match="fake: ValueError: as asked"):
            team.ask("fake", "fail")
        assert team.ask("fake", "echo", 1) == 1


def test_a_contender_that_cannot_start_says_why() -> None:
    broken = pytest.raises(NotMeasured, match="AssertionError: asked to be broken")
    with Team({"is_broken": True}) as team, broken:
        team.ask("fake", "echo", 1)


def test_an_absent_peer_is_not_measured() -> None:
    with Team({}, llama_python=None) as team:
        assert team.has("ours")
        assert not team.has("llama.cpp")
        with pytest.raises(NotMeasured, match=r"llama\.cpp is not installed"):
            team.ask("llama.cpp", "decode")


def test_nobody_is_left_after_the_context_even_when_it_is_interrupted() -> None:
    pids = []

    def interrupted() -> None:
        with Team({}) as team:
            pids.append(team.ask("fake", "facts")["pid"])
            assert is_running(pids[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not is_running(pids[0])


def test_a_worker_ends_with_a_parent_that_was_killed() -> None:
    code = (
        "import os\nfrom tests.bench.team import Team\n"
        "team = Team({})\nprint(team.ask('fake', 'facts')['pid'], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    pid, end_s = int(answer.stdout), time.monotonic() + 10
    while is_running(pid) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not is_running(pid)


def test_everyone_gets_the_same_threads_and_way_of_waiting() -> None:
    asked = worker_env({"OMP_NUM_THREADS": "9", "OMP_WAIT_POLICY": "PASSIVE", "A": "b"})
    assert asked["OMP_NUM_THREADS"] == "2"
    assert (asked["OMP_WAIT_POLICY"], asked["A"]) == ("PASSIVE", "b")
    assert "OMP_WAIT_POLICY" not in worker_env({})

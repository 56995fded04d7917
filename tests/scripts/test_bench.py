"""Set-up of the benchmark: llama.cpp is built once a processor, or missed in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts import bench, commands
from scripts.problem import Problem


class Pip:
    """Stands in for the commands that set-up runs; the `broken`-th one fails."""

    def __init__(self, broken: int | None = None) -> None:
        self.commands: list[list[str]] = []
        self.envs: list[dict[str, str]] = []
        self._broken = broken

    def __call__(self, command: Sequence[str | Path], log: Path, **more: Any) -> int:
        self.commands.append([str(part) for part in command])
        self.envs.append(more.get("env") or {})
        if "venv" in self.commands[-1]:
            python = Path(self.commands[-1][-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        return int(len(self.commands) - 1 == self._broken)


def found(_: str) -> str:
    return "/usr/bin/c++"


def test_llama_cpp_is_compiled_natively_and_only_once(tmp_path: Path) -> None:
    pip = Pip()
    python = bench.ensure_llama_cpp(tmp_path, pip, found)
    assert python == bench.ensure_llama_cpp(tmp_path, pip, found)
    assert len(pip.commands) == 2
    assert pip.commands[1][-4:] == [
        *("--no-cache-dir", "--no-binary", "llama-cpp-python", bench.PIN)
    ]
    assert "-DGGML_NATIVE=ON" in pip.envs[1]["CMAKE_ARGS"]


def test_another_processor_asks_for_another_build() -> None:
    assert bench.wanted("flags: avx2") != bench.wanted("flags: avx512f")


def test_without_a_compiler_it_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"no C\+\+ compiler.*apt install"):
        bench.ensure_llama_cpp(tmp_path, Pip(), lambda _: None)


@pytest.mark.parametrize("broken", [0, 1])
def test_a_failed_build_is_one_sentence_and_is_tried_again(
    tmp_path: Path, broken: int
) -> None:
    with pytest.raises(Problem, match=r"llama.*failed.*llama_cpp\.log"):
        bench.ensure_llama_cpp(tmp_path, Pip(broken), found)
    pip = Pip()
    bench.ensure_llama_cpp(tmp_path, pip, found)
    assert len(pip.commands) == 2


def test_without_llama_cpp_the_run_goes_on_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(_: Path) -> Path:
        raise Problem("No compiler.")

    assert bench.llama_python(Path(), refuse) == []
    assert (
        "No compiler.\nUntil then its rows say: not measured."
        in capsys.readouterr().out
    )
    assert bench.llama_python(Path(), lambda _: Path("p")) == ["--llama-python", "p"]


def test_a_build_tells_each_tenth_where_nobody_watches() -> None:
    said: list[str] = []
    progress = bench.Progress(said.append)
    for done in range(1, 41):
        progress(f"  [{done}/40] Building CXX object x.o")
    progress("no count here")
    assert len(said) == 10
    assert said[-1] == "compiling llama.cpp: 40 of 40 files"


def test_rows_and_rounds_are_read_and_bad_ones_refused() -> None:
    asked = bench.options(["decode", "server", "--rounds", "7"])
    assert (asked.rows, asked.rounds, asked.keep) == (["decode", "server"], "7", False)
    with pytest.raises(Problem, match="ROUNDS=0"):
        bench.options(["--rounds", "0"])
    with pytest.raises(Problem, match="leave ONLY= out"):
        bench.options(["decode", "--keep"])


def test_the_makefile_passes_every_wish_on() -> None:
    wishes = ["ONLY=a b", "ROUNDS=7", "KEEP=1", "NOFAIL=1"]
    command = ["make", "--no-print-directory", "-n", "bench", *wishes]
    shown = subprocess.run(command, cwd=commands.ROOT, capture_output=True, check=True)
    words = shown.stdout.decode().replace("\\\n", " ").split()
    assert words[words.index("bench") :] == [
        *("bench", "a", "b", "--rounds", "7", "--keep", "--no-fail")
    ]


def test_an_interruption_ends_the_measuring_process(tmp_path: Path) -> None:
    """A stand-in for tests.bench notes that it was told to end."""
    place = tmp_path / "tests"
    place.mkdir()
    (place / "__init__.py").touch()  # found before the real one
    (place / "bench.py").write_text(
        "import os, signal, sys, time\n"
        "def end(*_):\n    open('ended', 'w').close()\n    sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"os.kill({os.getpid()}, signal.SIGINT)\ntime.sleep(30)\n",
        encoding="utf-8",
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        bench.measure(tmp_path, Path(sys.executable), bench.options([]), lambda _: [])
    signal.signal(signal.SIGINT, before)
    assert (tmp_path / "ended").exists()

"""How much of the project one streamed request passes: it is to be read in one sitting.

In a process of its own, because the profiler sees every thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.hops import ROOT, written

MAX_FILES = 37  # whose code runs for one warm streamed request
MAX_CALLS = 100  # of the project's own functions, for one more token
MAX_HOPS = 12  # that a token passes until it is bytes; and 3 of `engine_process.py`
SCRIPT = """
import json
from tests.support.hops import map_of, measure, shapes, token_way
way, per_token = measure()
print(json.dumps([way.files, per_token, map_of(way), token_way(way), shapes(way)]))
"""


@pytest.fixture(scope="module")
def measured() -> Any:
    command = [sys.executable, "-c", SCRIPT]
    found = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(found.stdout.splitlines()[-1])


def test_a_streamed_request_passes_few_files(measured: Any) -> None:
    files, *_ = measured
    assert len(files) <= MAX_FILES, files


def test_one_more_token_takes_few_calls(measured: Any) -> None:
    _, per_token, *_ = measured
    assert per_token <= MAX_CALLS


def test_a_token_becomes_bytes_in_few_hops_and_three_shapes(measured: Any) -> None:
    *_, hops, shapes = measured
    assert len(hops) <= MAX_HOPS, hops
    assert shapes == ["TokenEvent", "Output", "TextPiece"]


def test_the_map_of_a_request_is_as_it_runs(measured: Any) -> None:
    _, _, table, *_ = measured
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    wanted, found = (sorted(text.splitlines()) for text in (table, written(page)))
    assert found == wanted, "run `python -m tests.support.hops`"

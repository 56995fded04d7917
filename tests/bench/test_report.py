"""A made run: its table, its JSON, its exit, and the README's part of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.performance import PLACE, performance
from tests.bench import report
from tests.bench.__main__ import slug
from tests.bench.bounds import BOUNDS
from tests.bench.record import VERSION, Record

MACHINE = {
    "cpu": "Abacus 9",
    "instruction_set": "AVX2",
    "cores": 2,
    "threads_each": 2,
    "contenders": {
        "llama.cpp": {"llama_cpp": "0.0.1"},
        "machine": {"torch": "9.9"},
        "ours": {},
    },
}
GOOD = {"mean_kl": 1e-6, "greedy_agreement": 0.999, "positions": 2000}
QUALITY = {**GOOD, "compared": "on paper", "others": {"llama.cpp": GOOD}}


def made() -> Record:
    """A run in which decode holds, the batch does not, and llama.cpp was away."""
    record = Record(3, ("decode", "batch8", "quality"), machine=MACHINE)
    record.add("decode", "ours", "tokens/s", [100.0, 120.0, 110.0], bound=220.0)
    record.add("start", "ours", "s to first token", [4.0], bound=2.0, is_time=True)
    record.ratios = {"decode_vs_llama_cpp": [1.5, 1.4, 1.6], "batch8_vs_batch1": [2.0]}
    record.quality = dict(QUALITY)
    record.notes.append("llama.cpp: not measured, it is not installed")
    return record


def data() -> dict[str, Any]:
    return made().as_dict("make bench ROUNDS=3", "2026-01-02")


def kept(root: Path, run: dict[str, Any] | None = None) -> Path:
    run = data() if run is None else run
    (root / PLACE).mkdir(parents=True, exist_ok=True)
    for name in (slug(run["machine"]), "latest"):
        path = root / PLACE / f"{name}.json"
        path.write_text(json.dumps(run), encoding="utf-8")
    return root


def test_a_rate_and_a_time_have_their_share_of_the_bound() -> None:
    assert [figure.of_bound for figure in made().figures] == [0.5, 0.5]


def test_the_table_ticks_what_holds_and_crosses_what_does_not() -> None:
    keys = ["decode_vs_llama_cpp", "batch8_vs_batch1", "spec_copy"]
    lines = report.table(made(), keys).splitlines()
    signs = {key: line for line in lines for key in keys if line.startswith(key)}
    assert "1.50     1.40     1.60    ≥ 1.3 ✓" in signs["decode_vs_llama_cpp"]
    assert "≥ 3 ✗" in signs["batch8_vs_batch1"]
    assert "not measured" in signs["spec_copy"]
    assert "note: llama.cpp: not measured, it is not installed" in lines


def test_the_table_says_how_much_of_a_bound_was_reached() -> None:
    line = next(x for x in report.table(made(), []).splitlines() if "decode" in x)
    assert line.split() == ["decode", "ours", "110", "100", "120", "tokens/s", "50%"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234.5, "1,234"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.5, "0.500"),
    ],
)
def test_a_number_shows_three_figures(value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_the_table_begins_with_the_processor() -> None:
    assert report.table(made(), []).startswith("Abacus 9, AVX2\n")


def test_ratios_are_flat_with_every_key_and_null_where_nothing_was_measured() -> None:
    ratios = data()["ratios"]
    assert list(ratios) == [bound.key for bound in BOUNDS]
    assert (ratios["decode_vs_llama_cpp"], ratios["spec_copy"]) == (1.5, None)


def test_a_run_says_where_when_and_how_and_keeps_raw_samples() -> None:
    run = json.loads(json.dumps(data()))
    assert (run["version"], run["date"], run["rounds"]) == (VERSION, "2026-01-02", 3)
    assert (run["machine"]["cpu"], run["command"]) == (
        "Abacus 9",
        "make bench ROUNDS=3",
    )
    assert run["figures"][0]["samples"] == [100.0, 120.0, 110.0]
    assert run["ratio_samples"]["batch8_vs_batch1"] == [2.0]


def test_what_is_short_or_not_measured_is_missed() -> None:
    record = made()
    assert record.missed(["decode_vs_llama_cpp"]) == []
    assert record.missed(["batch8_vs_batch1", "spec_copy"]) == [
        "batch8_vs_batch1",
        "spec_copy",
    ]


def test_bad_quality_is_missed_and_so_is_quality_that_was_not_measured() -> None:
    record = made()
    record.quality["mean_kl"] = 0.03
    assert record.missed([]) == ["mean_kl"]
    record.quality = {}
    assert record.missed([]) == ["mean_kl", "greedy_agreement"]


def test_the_readme_has_machine_date_and_every_bound(tmp_path: Path) -> None:
    text = performance(kept(tmp_path))
    assert (
        "Measured on 2026-01-02 by `make bench ROUNDS=3`: Abacus 9, AVX2, 2 cores"
        in text
    )
    assert "llama.cpp 0.0.1, PyTorch 9.9" in text
    assert "| decode | ours | 110 | 100 to 120 | 50% |" in text
    assert text.count("✓") == 1
    assert text.count("✗") == len(BOUNDS) - 1


def test_the_readme_says_what_was_not_measured_as_it_was_noted(tmp_path: Path) -> None:
    text = performance(kept(tmp_path))
    assert "llama.cpp: not measured, it is not installed." in text
    assert "same best token in 99.9%" in text


def test_without_a_kept_run_the_readme_has_no_table(tmp_path: Path) -> None:
    assert performance(tmp_path) == ""


def test_the_readme_has_a_block_a_processor_the_newest_first(tmp_path: Path) -> None:
    older = {**data(), "date": "2025-12-31"}
    older["machine"] = {**MACHINE, "cpu": "Abacus 8"}
    page = performance(kept(kept(tmp_path, older)))
    titles = [line for line in page.splitlines() if line.startswith("#")]
    assert titles == ["### Abacus 9, AVX2", "### Abacus 8, AVX2"]


def test_a_processor_names_its_file() -> None:
    machine = {"cpu": "AMD EPYC", "instruction_set": "AVX-512 VNNI"}
    assert slug(machine) == "amd-epyc-avx-512-vnni"

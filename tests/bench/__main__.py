"""`python -m tests.bench [ROW ...]`: measure, print a table, keep the samples as JSON.

All goes to .bench/latest.json. The exit code is 0 only where every bound of the chosen
rows holds; what cannot be measured counts as not held, and the table says why.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from labkit.model.fetch import weights_path
from tests.bench import report, rows, rows_more
from tests.bench.facts import machine_facts
from tests.bench.record import Record
from tests.bench.rows import SMALL, Bench, Sizes
from tests.bench.team import ROOT, THREADS, NotMeasured, Team, worker_env
from tests.bench.texts import Prompts

__all__ = ["ROWS", "Row", "main", "measure", "slug"]

Row = tuple[Callable[[Bench], None], int, tuple[str, ...]]  # turns a round, its ratios
ROWS: Mapping[str, Row] = {
    "roofs": (rows.roofs, 3, ()),
    "decode": (
        rows.decode,
        4,
        ("decode_vs_llama_cpp", "decode_vs_transformers", "decode_of_roof"),
    ),
    "prefill": (rows.prefill, 2, ("prefill_vs_llama_cpp",)),
    "batch8": (rows.batch8, 3, ("batch8_vs_batch1", "batch8_vs_llama_cpp_batch8")),
    "paged": (rows.paged, 2, ("paged_vs_contiguous",)),
    "prefix": (rows.prefix, 2, ("prefix_hit_ttft",)),
    "spec": (rows.spec, 2, ("spec_copy", "spec_free")),
    "server": (rows_more.server, 2, ("server_vs_engine",)),
    "server32": (rows_more.server32, 2, ("server32",)),
    "start": (rows_more.start, 1, ("start_warm_s",)),
    "quality": (rows_more.quality, 0, ()),
    "cuda": (rows_more.cuda, 3, ()),
}
MORE_ROUNDS = {"server": 3}  # times as many: one stream scatters by a tenth
EXTRA: Mapping[str, Row] = {"profile": (rows_more.profile, 0, ())}  # only when named
KEPT = ROOT / "tests" / "bench" / "results"
LATEST = ROOT / ".bench" / "latest.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows named; the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.rows if name not in {**ROWS, **EXTRA}]:
        parser.error(f"no row {unknown[0]!r}: use {', '.join([*ROWS, *EXTRA])}")
    ours = worker_env()  # the server and a fresh process get it from here
    os.environ.clear()
    os.environ.update(ours)
    signal.signal(signal.SIGTERM, _stop)
    chosen = tuple(options.rows) or tuple(ROWS)
    record = Record(options.rounds, chosen)
    settings = {"weights": str(weights_path()), "threads": THREADS}
    try:
        with Team(settings, options.llama_python) as team:
            measure(team, record, SMALL if options.small else Sizes())
    except KeyboardInterrupt:
        return 130
    expected = [key for name in chosen for key in {**ROWS, **EXTRA}[name][2]]
    tqdm.write(report.table(record, expected))
    data = record.as_dict(options.command, datetime.now(UTC).date().isoformat())
    kept = (KEPT / f"{slug(record.machine)}.json", KEPT / "latest.json")
    for path in (LATEST, *kept) if options.keep else (LATEST,):
        save(data, path)
    missed = record.missed(expected)
    if missed:
        tqdm.write(f"Not held: {', '.join(missed)}.")
    return 1 if missed and not options.no_fail else 0


def measure(team: Team, record: Record, sizes: Sizes) -> None:
    """Fill `record` with the rows it names; one that fails leaves a note."""
    known = {**ROWS, **EXTRA}
    rounds = {name: record.rounds * MORE_ROUNDS.get(name, 1) for name in record.chosen}
    turns = sum(known[name][1] * (rounds[name] + 1) for name in record.chosen)
    with tqdm(total=turns, unit="turn", desc="loading") as bar:
        record.machine = machine_facts()
        prompts = Prompts(lambda text: list(team.ask("ours", "encode", text)))
        bench = Bench(team, record, prompts, record.rounds, bar.update, sizes)
        for name in record.chosen:
            bar.set_description(name)
            bench.rounds = rounds[name]
            try:
                known[name][0](bench)
            except NotMeasured as reason:
                bench.note(f"{name}: not measured, {reason}")
    record.machine |= {"contenders": team.facts}


def slug(machine: Mapping[str, Any]) -> str:
    """The kind of processor, as a file's name: `amd-epyc-avx2`."""
    words = re.findall(
        r"[a-z0-9]+", f"{machine['cpu']} {machine['instruction_set']}".lower()
    )
    return "-".join(words)


def save(data: Mapping[str, Any], path: Path) -> None:
    """Write a run as JSON that people can read, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _stop(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: use a whole number above 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make bench", description=__doc__)
    names = ", ".join([*ROWS, *EXTRA])
    parser.add_argument("rows", nargs="*", help=f"of {names}; all but profile if none")
    parser.add_argument("--rounds", type=_rounds, default=5, help="of each row")
    parser.add_argument(
        "--keep", action="store_true", help="for the README, too, one file a processor"
    )
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--no-fail", action="store_true", help="exit with 0 anyway")
    parser.add_argument("--llama-python", help="a Python that has llama_cpp")
    parser.add_argument("--command", default="python -m tests.bench")
    return parser


if __name__ == "__main__":
    sys.exit(main())

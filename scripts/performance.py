"""The README's performance tables, from the runs that the repository keeps.

Nothing is typed: date, machine, versions and every number come from the files that
`make bench KEEP=1` wrote, one for each kind of processor. Without a file there is no
table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["PLACE", "performance"]

PLACE = Path("tests/bench/results")
NEWEST = "latest.json"  # a copy of the newest of the others
SHOWN = (
    "decode",
    "prefill",
    "batch8",
    "server",
    "server32",
    "cuda",
)  # rows with tokens/s

Run = Mapping[str, Any]


def performance(root: Path) -> str:
    """Markdown between the README's marks, the newest processor first."""
    paths = [path for path in (root / PLACE).glob("*.json") if path.name != NEWEST]
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(paths)]
    runs.sort(key=lambda run: str(run["date"]), reverse=True)
    return "\n".join(_block(run) for run in runs)


def _block(run: Run) -> str:
    """One processor's tables."""
    title = f"### {_processor(run)}"
    parts = (_head(run), _rates(run), _bounds(run), _end(run))
    return "\n".join([title, *(line for part in parts for line in ("", *part))])


def _processor(run: Run) -> str:
    named = (run["machine"]["cpu"], run["machine"].get("instruction_set"))
    return ", ".join(filter(None, named))


def _head(run: Run) -> list[str]:
    machine = run["machine"]
    versions = [
        f"{name} {facts[key]}"
        for name, key in (("llama.cpp", "llama_cpp"), ("transformers", "transformers"))
        if key in (facts := machine["contenders"].get(name, {}))
    ]
    torch = machine["contenders"].get("machine", {}).get("torch")
    versions += [f"PyTorch {torch}"] if torch else []
    return [
        f"Measured on {run['date']} by `{run['command']}`: {_processor(run)}, "
        f"{machine['cores']} cores, {machine['threads_each']} threads each; "
        f"{', '.join(versions)}. Medians, everyone in turn in each round.",
    ]


def _rates(run: Run) -> list[str]:
    lines = [
        "| tokens/s | who | median | lowest to highest | of its bound |",
        "|---|---|---|---|---|",
    ]
    for figure in run["figures"]:
        if figure["row"] in SHOWN and figure["unit"] == "tokens/s":
            share = figure["of_bound"]
            cells = (
                figure["row"],
                figure["who"],
                number(figure["median"]),
                f"{number(figure['low'])} to {number(figure['high'])}",
                "–" if share is None else f"{share:.0%}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _bounds(run: Run) -> list[str]:
    lines = ["| ratio | measured | rounds | bound | |", "|---|---|---|---|---|"]
    for key, bound in run["bounds"].items():
        value = run["ratios"][key]
        sign = "≤" if bound["is_ceiling"] else "≥"
        cells = (
            bound["what"],
            "not measured" if value is None else number(value),
            str(len(run["ratio_samples"].get(key, []))),
            f"{sign} {bound['limit']:g}",
            "✓" if bound["holds"] else "✗",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _end(run: Run) -> list[str]:
    """Quality, and what was not measured."""
    lines = []
    quality = run["quality"]
    if quality:
        lines.append(
            f"Over {quality['positions']:,} positions of text the logits are "
            f"{quality['mean_kl']:.1e} nats from the float32 reference in the mean "
            f"(KL), with the same best token in {quality['greedy_agreement']:.1%} of "
            "them; the reference is the GGUF itself, dequantised."
        )
    lines += [f"{note}." for note in run["notes"]]
    return [" ".join(lines), ""] if lines else [""]


def number(value: float) -> str:
    """A number rounded to about three digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"

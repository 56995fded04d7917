"""A run as text: one line a figure, one line a bound, a tick or a cross for each."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.bounds import BOUNDS, Spread
from tests.bench.record import QUALITY, Figure, Record

__all__ = ["number", "table"]


def number(value: float) -> str:
    """Three figures that mean something: 1,234 · 123 · 12.3 · 1.23 · 0.123."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    digits = 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"


def table(record: Record, expected: Sequence[str]) -> str:
    """The whole run; `expected` are the bounds that this run was to reach."""
    named = (record.machine.get(key) for key in ("cpu", "instruction_set"))
    parts = [", ".join(filter(None, named)), *_figures(record.figures), ""]
    if record.quality:
        parts += [*_quality(record), ""]
    if expected:
        parts += [*_bounds(record, expected), ""]
    parts += [f"note: {note}" for note in record.notes]
    if record.profile:
        parts += ["", record.profile]
    return "\n".join(parts)


def _figures(figures: Sequence[Figure]) -> list[str]:
    head = f"{'row':<9} {'who':<18} {'median':>8} {'from':>8} {'to':>8}  {'unit':<17}"
    lines = [f"{head} of its bound"]
    for figure in figures:
        low, high = number(figure.spread.low), number(figure.spread.high)
        share = "" if figure.of_bound is None else f"{figure.of_bound:.0%}"
        lines.append(
            f"{figure.row:<9} {figure.who:<18} {number(figure.spread.median):>8} "
            f"{low:>8} {high:>8}  {figure.unit:<17} {share:>5}".rstrip()
        )
    return lines


def _bounds(record: Record, expected: Sequence[str]) -> list[str]:
    head = f"{'ratio':<27} {'median':>8} {'from':>8} {'to':>8}  {'bound':>7}"
    lines = [head]
    for bound in BOUNDS:
        if bound.key not in expected:
            continue
        samples = record.ratios.get(bound.key)
        if not samples:
            shown = f"{'not measured':>26}"
        else:
            s = Spread.of(samples)
            shown = f"{number(s.median):>8} {number(s.low):>8} {number(s.high):>8}"
        sign = "✓" if bound.holds(record.ratio(bound.key)) else "✗"
        lines.append(f"{bound.key:<27} {shown}  {bound.sign:>7} {sign}  {bound.what}")
    return lines


def _quality(record: Record) -> list[str]:
    found = record.quality
    lines = [f"quality on {found['positions']:,} positions: {found['compared']}"]
    shown = {"ours": found, **found["others"]}
    for who, values in shown.items():
        kl, same = values["mean_kl"], values["greedy_agreement"]
        lines.append(f"  {who:<14} mean KL {kl:.2e} nats, same best token {same:.2%}")
    for name, (limit, is_ceiling) in QUALITY.items():
        sign = "✓" if record.is_good(name) else "✗"
        lines.append(f"  ours, {name} {'≤' if is_ceiling else '≥'} {limit:g} {sign}")
    return lines

"""Time of a pass by its number of tokens, with the machine's two bounds (roofline).

A pass reads every weight once, however many tokens it computes, and multiplies for each
of them; whichever takes longer is the bound (Williams, Waterman and Patterson 2009).
The figure draws what was measured and both bounds, and nothing in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.figures.drawings import Lines, Series
from labkit.records import Layer

__all__ = [
    "PassWork",
    "Roofs",
    "batch_lines",
    "crossing",
    "draft_lines",
    "knee",
    "pass_lines",
    "share_lines",
]

Points = Mapping[int, float]  # milliseconds by tokens


@dataclass(frozen=True, slots=True)
class Roofs:
    """The highest rates that a machine was measured to reach."""

    bytes_per_s: float  # of a copy
    flop_per_s: float  # of a matrix product, in operations

    @property
    def ridge(self) -> float:
        """FLOP for each byte at which both take as long."""
        return self.flop_per_s / self.bytes_per_s

    def read_ms(self, num_bytes: float) -> float:
        """The shortest time in which `num_bytes` can be read, in milliseconds."""
        return 1000 * num_bytes / self.bytes_per_s

    def multiply_ms(self, num_flop: float) -> float:
        """The shortest time for `num_flop` operations, in milliseconds."""
        return 1000 * num_flop / self.flop_per_s


@dataclass(frozen=True, slots=True)
class PassWork:
    """What a pass has to do; only one of its tokens goes through the head."""

    weight_bytes: float  # read once, however many tokens
    flop_per_token: float  # in the layers
    head_flop: float

    def flop(self, num_tokens: float) -> float:
        """Operations of a pass of `num_tokens`."""
        return num_tokens * self.flop_per_token + self.head_flop


def crossing(roofs: Roofs, work: PassWork) -> float:
    """Tokens a pass at which reading and multiplying take as long: n*."""
    return (roofs.ridge * work.weight_bytes - work.head_flop) / work.flop_per_token


def knee(times_ms: Points, factor: float = 2.0) -> int:
    """The most tokens that cost at most `factor` times what the fewest cost."""
    least = times_ms[min(times_ms)]
    return max(n for n, ms in times_ms.items() if ms <= factor * least)


def pass_lines(times_ms: Points, roofs: Roofs, work: PassWork) -> Lines:
    """Measured passes with the bounds of the machine that they were measured on."""
    sizes = tuple(float(n) for n in sorted(times_ms))
    read = roofs.read_ms(work.weight_bytes)
    multiply = [(n, roofs.multiply_ms(work.flop(n))) for n in sizes]
    shown = [(n, ms) for n, ms in multiply if ms > read / 30]
    first, last = min(times_ms), max(times_ms)
    series = (
        Series("read the weights", sizes, (read,) * len(sizes), Layer.CACHE, "dash"),
        Series("multiply", *_columns(shown), Layer.NETWORK, "dash"),
        _series("measured", times_ms, Layer.COMPUTE, "line+dots"),
    )
    return Lines(
        title=f"Up to {knee(times_ms)} tokens, a pass takes no longer than two of one",
        alt=f"Measured: {times_ms[first]:,.1f} ms for {first}, "
        f"{times_ms[last]:,.0f} ms for {last}. Bounds: reading takes {read:,.1f} ms, "
        f"multiplying {roofs.multiply_ms(work.flop(last)):,.1f} ms for {last}; "
        f"they meet at {crossing(roofs, work):,.1f} tokens.",
        x_title="tokens in one pass",
        y_title="milliseconds a pass",
        series=series,
        x_scale="log2",
        y_scale="log10",
    )


def batch_lines(times_ms: Points) -> Lines:
    """Tokens a second of a batch, all together and for each user."""
    sizes = sorted(times_ms)
    total = {n: 1000 * n / times_ms[n] for n in sizes}
    each = {n: 1000 / times_ms[n] for n in sizes}
    first, last = sizes[0], sizes[-1]
    return Lines(
        title=f"{last} users get {total[last] / total[first]:,.1f} times the "
        f"throughput of {first}; each waits {each[first] / each[last]:,.1f} times as "
        "long for a token",
        alt=f"All together: {total[first]:,.0f} tokens/s for {first}, "
        f"{total[last]:,.0f} for {last}. Each: {each[first]:,.0f} and "
        f"{each[last]:,.1f} tokens/s.",
        x_title="sequences that decode together",
        y_title="tokens a second",
        series=(
            _series("all together", total, Layer.COMPUTE, "line+dots"),
            _series("each user", each, Layer.CLIENT, "line+dots"),
        ),
        x_scale="log2",
        y_scale="log10",
    )


def share_lines(shares: Mapping[int, Points]) -> Lines:
    """Per cent of a pass that the context costs, by context, a line a batch size."""
    hues = (Layer.CACHE, Layer.COMPUTE, Layer.SAMPLING)
    lines = sorted(shares.items())
    ends = "; ".join(
        f"batch of {rows}: {line[max(line)]:.0f} % at {max(line):,} tokens"
        for rows, line in lines
    )
    top = max(share[max(share)] for share in shares.values())
    return Lines(
        title=f"Reading the context grows to {top:.0f} % of a pass",
        alt=f"Share of the time that the context adds. {ends}.",
        x_title="tokens of context of each sequence",
        y_title="% of the pass",
        series=tuple(
            _series(f"batch of {rows}", line, hue, "line+dots")
            for (rows, line), hue in zip(lines, hues, strict=False)
        ),
        x_scale="log2",
    )


def draft_lines(gains: Points, drafted: int) -> Lines:
    """Speed-up of drafting for everybody over plain decoding, by batch size."""
    xs = tuple(float(n) for n in sorted(gains))
    none = Series("no gain", xs, (1.0,) * len(xs), Layer.CLIENT, "dash")
    told = ", ".join(f"{gains[n]:.2f} for {n}" for n in sorted(gains))
    worth = [n for n in sorted(gains) if gains[n] > 1]
    reach = f"pay up to {max(worth)} sequences" if worth else "never pay"
    return Lines(
        title=f"{drafted} drafts for each sequence {reach} in a batch",
        alt=f"Speed-up by sequences in the batch: {told}. Below 1 it is a loss.",
        x_title="sequences that decode together",
        y_title="speed-up over plain decoding",
        series=(_series("speed-up", gains, Layer.COMPUTE, "line+dots"), none),
        x_scale="log2",
    )


def _series(name: str, points: Points, layer: Layer, style: str) -> Series:
    pairs = [(float(n), points[n]) for n in sorted(points)]
    return Series(name, *_columns(pairs), layer, style)  # type: ignore[arg-type]  # a style


def _columns(
    pairs: Sequence[tuple[float, float]],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(x for x, _ in pairs), tuple(y for _, y in pairs)

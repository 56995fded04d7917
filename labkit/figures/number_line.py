"""A guess and the answer as marks on a line, from the range that was asked for.

Where the range is above 0 and spans more than two decades the axis is logarithmic, so
that a factor of two is as long everywhere. An answer outside the range widens it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labkit.figures.svg import Canvas, label, measure, ticks
from labkit.records import Layer

__all__ = ["Mark", "NumberLine", "draw_number_line", "number_line"]

WIDTH, LEFT, RIGHT, LINE = 560, 24, 536, 84  # px; LINE is the line's height
DECADES = 2  # a range that spans more is drawn by its logarithm


@dataclass(frozen=True, slots=True)
class Mark:
    """A value on the line; `at` is its place, from 0 at the left to 1."""

    name: str
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class NumberLine:
    """The marks of a guess, if there is one, and of the answer; and the axis."""

    title: str
    alt: str
    ticks: tuple[Mark, ...]
    guess: Mark | None
    answer: Mark
    is_log: bool


def number_line(
    words: tuple[str, str],
    between: tuple[float, float],
    answer: tuple[float, str],
    guess: tuple[float, str] | None,
    unit: str = "",
) -> NumberLine:
    """The line of a question; `words` are title and alt, a value has its text.

    The last tick names the unit.
    """
    values = [*between, answer[0], *([guess[0]] if guess else [])]
    low, high = min(values), max(values)
    is_log = low > 0 and math.log10(high / low) > DECADES

    def place(value: float) -> float:
        if is_log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low) if high > low else 0.5

    axis = [(label(tick), place(tick)) for tick in _ticks(low, high, is_log)]
    named = [*axis[:-1], *[(f"{text} {unit}".rstrip(), at) for text, at in axis[-1:]]]
    return NumberLine(
        *words,
        tuple(Mark("", text, at) for text, at in named),
        Mark("Your guess", guess[1], place(guess[0])) if guess else None,
        Mark("Answer", answer[1], place(answer[0])),
        is_log,
    )


def draw_number_line(drawing: NumberLine) -> str:
    """The still: the guess above the line, the answer below it."""
    canvas = Canvas(WIDTH, LINE + 70, drawing.title, drawing.alt)
    canvas.head()
    canvas.path(f"M{LEFT} {LINE}H{RIGHT}", "mut", width=2)
    for tick in drawing.ticks:
        x = _x(tick)
        canvas.path(f"M{x:.1f} {LINE}v6", "mut")
        canvas.text((_start(tick, x), LINE + 58), tick.text, colour="mut", px=11)
    if drawing.guess is not None:
        canvas.dot(_x(drawing.guess), LINE, 6, "fg")
        _write(canvas, drawing.guess, LINE - 16)
    x = _x(drawing.answer)
    canvas.rect((x - 3, LINE - 12, 6, 24), Layer.STREAMING)
    _write(canvas, drawing.answer, LINE + 32)
    return canvas.done()


def _write(canvas: Canvas, mark: Mark, y: float) -> None:
    words = f"{mark.name} {mark.text}"
    start = _start(Mark("", words, mark.at), _x(mark))
    canvas.text((start, y), words, face="bold")


def _x(mark: Mark) -> float:
    return LEFT + (RIGHT - LEFT) * mark.at


def _start(mark: Mark, x: float) -> float:
    """Where text begins that is as far left of its mark as the mark is on the line."""
    return x - measure(mark.text) * mark.at


def _ticks(low: float, high: float, is_log: bool) -> list[float]:
    if not is_log:
        return ticks(low, high)
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    step = max(1, round((last - first) / 6))
    return [10.0**power for power in range(first, last + 1, step)]

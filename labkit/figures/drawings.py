"""What a picture shows, as frozen values, before anyone decides how to draw it.

Every drawing has a `title` that states the finding and an `alt` that gives the numbers
in words; both travel with it wherever it is shown. The same value becomes a still
(`stills.py`), a plotly figure or a widget's text summary, so these cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labkit.figures.blocks import BlockGrid
from labkit.figures.number_line import NumberLine
from labkit.records import Layer

__all__ = [
    "Chip",
    "Drawing",
    "Gantt",
    "GanttBar",
    "GanttLane",
    "Kind",
    "LayerCell",
    "Lines",
    "Memory",
    "MemoryPart",
    "Pin",
    "Scale",
    "Segment",
    "Series",
    "StreamDrawing",
    "Table",
    "TraceDrawing",
    "TraceStack",
    "Waterfall",
    "WaterfallRow",
]

Kind = Literal["wait", "stall", "prefill", "decode"]  # what a request does
Scale = Literal["linear", "log2", "log10"]  # of an axis


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a name, its points and the layer whose colour it takes.

    A "dash" is a bound or a formula, "dots" mark what was measured, joined or not.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    layer: Layer
    style: Literal["line", "dash", "dots", "line+dots"] = "line"

    def __post_init__(self) -> None:
        assert len(self.x) == len(self.y), f"{self.name}: x and y differ in length"
        assert self.x, f"{self.name}: a line needs at least one point"


@dataclass(frozen=True, slots=True)
class Lines:
    """Series over common axes; titles of axes name the unit."""

    title: str
    alt: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """Something that takes memory, drawn as a stretch of a bar."""

    name: str
    layer: Layer
    num_bytes: int
    size: str  # the same in words
    pieces: int = 1  # equal parts that it consists of


@dataclass(frozen=True, slots=True)
class Memory:
    """What is stacked in a memory, how much that has room for, and what else could be.

    `parts` share the memory's bar; each of the `others` has a bar of its own below.
    """

    title: str
    alt: str
    room: str  # the memory's name
    num_bytes: int  # that it has room for
    rest: str  # what is free or missing, in words
    parts: tuple[MemoryPart, ...]
    others: tuple[MemoryPart, ...]

    @property
    def scale(self) -> int:
        """Bytes that the whole width of the memory's bar stands for."""
        return max(self.num_bytes, sum(part.num_bytes for part in self.parts))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of short texts under a head."""

    title: str
    alt: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time on one layer, with the name of what was done in it."""

    layer: Layer
    start_ms: float
    end_ms: float
    name: str = ""

    @property
    def ms(self) -> float:
        """Length in milliseconds."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class Pin:
    """A named moment."""

    name: str
    time_ms: float


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """One part of a sum: when it ran and how much of the total is its own."""

    name: str
    layer: Layer
    segments: tuple[Segment, ...]
    ms: float
    share: float  # of the total, 0 to 1
    about: str = ""  # what happens in it, for a reader who does not know its name


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Parts of a duration, in order of their start; the shares add up to 1."""

    title: str
    alt: str
    total_ms: float
    rows: tuple[WaterfallRow, ...]
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True)
class LayerCell:
    """What one layer did in a request; `spans == 0` means it was not on the path."""

    layer: Layer
    name: str
    ms: float
    share: float  # of the request, 0 to 1
    spans: int
    num_bytes: int | None  # None where nothing was counted


@dataclass(frozen=True, slots=True)
class TraceDrawing:
    """A request's life: one strip of time and twelve cells, one of them lit."""

    title: str
    alt: str
    total_ms: float
    segments: tuple[Segment, ...]
    pins: tuple[Pin, ...]
    cells: tuple[LayerCell, ...]
    lit: Layer | None


@dataclass(frozen=True, slots=True)
class TraceStack:
    """Several requests' lives, one below another on one scale of time."""

    title: str
    alt: str
    names: tuple[str, ...]
    lives: tuple[TraceDrawing, ...]

    @property
    def total_ms(self) -> float:
        """The scale: the length of the longest life."""
        return max(life.total_ms for life in self.lives)


@dataclass(frozen=True, slots=True)
class Chip:
    """A piece of text and when it arrived."""

    text: str
    time_ms: float


@dataclass(frozen=True, slots=True)
class StreamDrawing:
    """Text pieces as chips, above the moments at which they arrived."""

    title: str
    alt: str
    chips: tuple[Chip, ...]
    pins: tuple[Pin, ...]
    facts: tuple[tuple[str, str], ...]  # (name, value with unit)


@dataclass(frozen=True, slots=True)
class GanttBar:
    """A stretch of time in which a request waits, stalls, prefills or decodes."""

    kind: Kind
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class GanttLane:
    """One request: a row of bars for each run that is compared, and its tokens."""

    name: str
    bars: tuple[tuple[GanttBar, ...], ...]  # by run
    tokens_ms: tuple[tuple[float, ...], ...]  # by run, when each token came


@dataclass(frozen=True, slots=True)
class Gantt:
    """Requests over time in one run or two, with the figures of each run."""

    title: str
    alt: str
    runs: tuple[str, ...]  # one name or two
    lanes: tuple[GanttLane, ...]
    facts: tuple[tuple[str, ...], ...]  # (name, a value for each run)
    total_ms: float


Drawing = (
    Lines
    | Memory
    | Table
    | Waterfall
    | TraceDrawing
    | TraceStack
    | StreamDrawing
    | Gantt
    | BlockGrid
    | NumberLine
)

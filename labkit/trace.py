"""A request's recorded life: spans and marks, each with the key (request, step, token).

The same trace drives a live view, a replay and a static page. It holds times and plain
values only, never prompts of other requests, keys or headers. All times are seconds
since the trace's origin; `shifted()` moves a part recorded on another clock into place.
The file is JSON with a schema name and a version; a newer version is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.errors import TraceError
from labkit.records import Layer

__all__ = ["SCHEMA", "VERSION", "Key", "Mark", "Scalar", "Span", "Trace"]

SCHEMA = "labkit.trace"
VERSION = 1

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Key:
    """What a span or mark is about; None where it is about no one step or token."""

    request: str
    step: int | None = None
    token: int | None = None  # place in the output, from 0


@dataclass(frozen=True, slots=True)
class Span:
    """Work with a beginning and an end, done in one layer."""

    name: str
    layer: Layer
    start_s: float
    end_s: float
    key: Key
    attrs: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Length of the span in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment in one layer."""

    name: str
    layer: Layer
    time_s: float
    key: Key
    attrs: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(slots=True)
class Trace:
    """The record of one request. `meta` says who made it: device, date, model, ..."""

    request: str
    meta: dict[str, Scalar] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def key(self, step: int | None = None, token: int | None = None) -> Key:
        """A key of this trace's request."""
        return Key(self.request, step, token)

    def add(self, *items: Span | Mark) -> None:
        """Record spans and marks; a span may not end before it starts."""
        for item in items:
            if isinstance(item, Mark):
                self.marks.append(item)
                continue
            assert item.end_s >= item.start_s, f"span {item.name} ends before it starts"
            self.spans.append(item)

    def named(self, name: str) -> Span:
        """The first span called `name`; `TraceError` lists the names there are."""
        for span in self.spans:
            if span.name == name:
                return span
        known = ", ".join(sorted({s.name for s in self.spans})) or "none"
        raise TraceError(f"trace {self.request} has no span {name!r}; it has: {known}")

    def marks_named(self, name: str) -> list[Mark]:
        """All marks called `name`, in order of time."""
        return sorted((m for m in self.marks if m.name == name), key=lambda m: m.time_s)

    def layer_s(self, layer: Layer) -> float:
        """Seconds spent in `layer`; overlapping spans of a layer count once."""
        return _covered((s.start_s, s.end_s) for s in self.spans if s.layer is layer)

    @property
    def end_s(self) -> float:
        """Time of the last thing recorded, 0.0 for an empty trace."""
        ends = [s.end_s for s in self.spans] + [m.time_s for m in self.marks]
        return max(ends, default=0.0)

    def shifted(self, by_s: float) -> Trace:
        """The same trace with every time moved by `by_s` seconds."""
        spans = [
            replace(s, start_s=s.start_s + by_s, end_s=s.end_s + by_s)
            for s in self.spans
        ]
        marks = [replace(m, time_s=m.time_s + by_s) for m in self.marks]
        return Trace(self.request, dict(self.meta), spans, marks)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, schema and version included; times to the microsecond."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "request": self.request,
            "meta": dict(self.meta),
            "spans": [_span(span) for span in self.spans],
            "marks": [_mark(mark) for mark in self.marks],
        }

    @classmethod
    def from_dict(cls, data: Any) -> Trace:
        """Read what `to_dict` wrote; anything else raises `TraceError`."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise TraceError(f"not a {SCHEMA}: record one with lab.trace(...)")
        if data.get("version") != VERSION:
            version = data.get("version")
            raise TraceError(
                f"trace version {version!r}, this labkit reads {VERSION}: "
                "record it again or update labkit"
            )
        try:
            spans = [Span(**_typed(s)) for s in data["spans"]]
            marks = [Mark(**_typed(m)) for m in data["marks"]]
            return cls(data["request"], dict(data["meta"]), spans, marks)
        except (KeyError, TypeError, ValueError) as error:
            raise TraceError(f"damaged trace: {error!r}; record it again") from error

    def save(self, path: Path) -> None:
        """Write JSON to `path`, sorted keys, one final newline."""
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Trace:
        """Read a trace from `path`; `TraceError` where it is not one."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TraceError(f"no trace at {path}") from None
        except ValueError as error:
            raise TraceError(f"{path} is not JSON: {error}") from error
        return cls.from_dict(data)


def _covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of `intervals`."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _span(span: Span) -> dict[str, Any]:
    return {
        "name": span.name,
        "layer": str(span.layer),
        "start_s": round(span.start_s, 6),
        "end_s": round(span.end_s, 6),
        "key": _key(span.key),
        "attrs": dict(span.attrs),
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        "name": mark.name,
        "layer": str(mark.layer),
        "time_s": round(mark.time_s, 6),
        "key": _key(mark.key),
        "attrs": dict(mark.attrs),
    }


def _key(key: Key) -> dict[str, Any]:
    return {"request": key.request, "step": key.step, "token": key.token}


def _typed(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "layer": Layer(item["layer"]), "key": Key(**item["key"])}

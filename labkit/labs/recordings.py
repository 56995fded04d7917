"""Recordings that stand in for a live run: device, date and command are inside.

A file is a trace (`labkit.trace`), a recording of streams (`labkit.recording`: frames
with the moment each arrived) or numbers that a slow run measured (`labkit.measured`).
A file of another kind or a newer version is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.dialects.readers import Dialect, reader
from labkit.dialects.wire import ChunkReader
from labkit.errors import TraceError
from labkit.records import StreamChunk
from labkit.trace import SCHEMA as TRACE_SCHEMA
from labkit.trace import Scalar, Trace

__all__ = [
    "MEASURED",
    "SCHEMA",
    "VERSION",
    "Arrival",
    "Measured",
    "Recording",
    "data_folders",
    "open_recording",
]

SCHEMA = "labkit.recording"
MEASURED = "labkit.measured"
VERSION = 1
PROVENANCE = ("device", "date", "command")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One frame as it came over the wire."""

    time_s: float  # since the request was sent
    frame: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """Streams by dialect, of one and the same answer."""

    name: str
    meta: Mapping[str, Scalar]
    streams: Mapping[Dialect, tuple[Arrival, ...]]

    def frames(self, dialect: str = Dialect.OPENAI) -> list[bytes]:
        """The raw frames of one dialect."""
        return [arrival.frame for arrival in self._stream(dialect)]

    def chunks(self, dialect: str = Dialect.OPENAI) -> list[StreamChunk]:
        """The frames of one dialect as a client reads them, with their stamps."""
        chunks = ChunkReader(reader(Dialect(dialect)))
        arrivals = self._stream(dialect)
        return [c for a in arrivals for c in chunks.feed(a.frame, a.time_s)]

    def text(self, dialect: str = Dialect.OPENAI) -> str:
        """The answer's visible text."""
        return "".join(chunk.text for chunk in self.chunks(dialect))

    def _stream(self, dialect: str) -> tuple[Arrival, ...]:
        found = {str(name): stream for name, stream in self.streams.items()}
        if dialect in found:
            return found[dialect]
        raise TraceError(f"{self.name} has no {dialect!r} stream; it has {list(found)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; stamps to the microsecond."""
        streams = {
            str(dialect): [
                {"at_s": round(a.time_s, 6), "frame": a.frame.decode()}
                for a in arrivals
            ]
            for dialect, arrivals in self.streams.items()
        }
        head = {"schema": SCHEMA, "version": VERSION, "name": self.name}
        return {**head, "meta": dict(self.meta), "streams": streams}

    def save(self, path: Path) -> None:
        """Write JSON to `path`, sorted keys, one final newline."""
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recording:
        """Read what `to_dict` wrote; anything else raises `TraceError`."""
        if data.get("version") != VERSION:
            raise TraceError(
                f"recording version {data.get('version')!r}, this labkit reads "
                f"{VERSION}: record it again or update labkit"
            )
        try:
            streams = {
                Dialect(dialect): tuple(
                    Arrival(float(a["at_s"]), a["frame"].encode()) for a in arrivals
                )
                for dialect, arrivals in data["streams"].items()
            }
            return cls(data["name"], dict(data["meta"]), streams)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = f"damaged recording: {error!r}; record it again"
            raise TraceError(text) from error


@dataclass(frozen=True, slots=True)
class Measured:
    """What a slow run measured: plain JSON values by name, and how it was made."""

    name: str
    meta: Mapping[str, Scalar]
    values: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        if key in self.values:
            return self.values[key]
        raise TraceError(f"{self.name} has no {key!r}; it has {sorted(self.values)}")

    @property
    def origin(self) -> str:
        """Device, date and command in one line, to stand under a picture."""
        told = {key: self.meta.get(key, "unknown") for key in PROVENANCE}
        return "Recorded on {device}, {date}, by `{command}`.".format(**told)

    def save(self, path: Path) -> None:
        """Write JSON to `path`, sorted keys, one final newline."""
        head = {"schema": MEASURED, "version": VERSION, "name": self.name}
        data = {**head, "meta": dict(self.meta), "values": dict(self.values)}
        text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measured:
        """Read what `save` wrote; anything else raises `TraceError`."""
        try:
            if data["version"] != VERSION:
                raise ValueError(f"version {data['version']!r}, not {VERSION}")
            return cls(str(data["name"]), dict(data["meta"]), dict(data["values"]))
        except (KeyError, TypeError, ValueError) as error:
            text = f"damaged measurements: {error!r}; record them again"
            raise TraceError(text) from error


def data_folders(start: Path) -> list[Path]:
    """Where recordings may be, nearest first, for a notebook that runs in `start`."""
    package = Path(__file__).resolve().parents[1]
    beside = [start / "data", start / "chapters" / "data"]
    return [*beside, package.parent / "chapters" / "data", package / "book" / "data"]


def open_recording(
    name: str, part: str, folders: Iterable[Path]
) -> Trace | Recording | Measured:
    """The recording `name` from the first folder that has it.

    `part` is what the file names of a chapter's recordings begin with, such as `07`.
    """
    wanted = [f"{name}.json", f"{part}_{name}.json"]
    places = [folder for folder in folders if folder.is_dir()]
    for path in (folder / file for folder in places for file in wanted):
        if path.is_file():
            return _read(path)
    known = sorted({p.stem for folder in places for p in folder.glob("*.json")})
    raise TraceError(
        f"no recording {name!r}; there are: {', '.join(known) or 'none'}; "
        f"record with `python -m scripts.record {part}`"
    )


def _read(path: Path) -> Trace | Recording | Measured:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TraceError(f"{path.name} is not JSON: {error}") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema == TRACE_SCHEMA:
        return Trace.from_dict(data)
    if schema == SCHEMA:
        return Recording.from_dict(data)
    if schema == MEASURED:
        return Measured.from_dict(data)
    known = f"{TRACE_SCHEMA}, {SCHEMA} or {MEASURED}"
    raise TraceError(f"{path.name} holds {schema!r}, none of {known}")

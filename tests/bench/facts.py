"""What the numbers of a run belong to: the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from tests.bench.team import THREADS

__all__ = ["cpu_model", "instruction_set", "machine_facts"]

# What the kernels make use of, the best first: the flags it takes, and its name.
SETS = (
    ({"avx512f", "avx512_vnni"}, "AVX-512 VNNI"),
    ({"avx2", "fma", "f16c"}, "AVX2"),
    ({"sse2"}, "SSE2"),
    ({"asimd"}, "NEON"),
)


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the system has it."""
    names = _values(info, "model name")
    return names[0] if names else platform.processor() or platform.machine()


def instruction_set(info: Path = Path("/proc/cpuinfo")) -> str:
    """The widest instructions that the kernels use here, by the processor's flags."""
    told = _values(info, "flags", "Features")  # x86, ARM
    flags = set(told[0].split()) if told else set[str]()
    names = (name for needed, name in SETS if needed <= flags)
    return next(names, platform.machine())


def _values(info: Path, *names: str) -> list[str]:
    """What the file says under any of `names`, once for each core; [] without it."""
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.split(":", 1)[1].strip() for line in lines if line.startswith(names)]


def machine_facts() -> dict[str, Any]:
    """Processor, cores, system and how threads wait."""
    return {
        "cpu": cpu_model(),
        "instruction_set": instruction_set(),
        "cores": os.cpu_count(),
        "threads_each": THREADS,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }

"""What the numbers of a run belong to: the machine, and what computed on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from tests.bench.team import THREADS, NotMeasured, Team

__all__ = ["cpu_model", "machine_facts"]


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the system has it."""
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def machine_facts(team: Team) -> dict[str, Any]:
    """Processor, cores, system, versions, and what each contender says of itself."""
    found: dict[str, Any] = {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads_each": THREADS,
        "system": f"{platform.system()} {platform.machine()}",
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "python": platform.python_version(),
        "contenders": {},
    }
    found |= team.ask("machine", "facts")
    for name in ("ours", "llama.cpp", "transformers"):
        try:
            found["contenders"][name] = team.ask(name, "facts")
        except NotMeasured as reason:
            found["contenders"][name] = {"not_measured": str(reason)}
    return found

"""Every setting of the server, read once from `LAB_…` variables into a frozen value.

This is the only file of the project that reads the environment. A name it does not
know is refused with the nearest one it does; a value it cannot read is refused too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from labkit.config import EngineConfig, reject_unknown
from labkit.errors import ConfigError

__all__ = ["PREFIX", "Settings", "share_cores"]

PREFIX = "LAB_"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server listens, what it serves and how patient it is.

    `LAB_` and the field's name in capitals is the variable: `LAB_MAX_RUNNING=8`.
    """

    host: str = "127.0.0.1"  # address to listen on; other machines cannot reach this
    port: int = 8010  # 0 takes any free port
    model: str = ""  # GGUF file or Hugging Face folder; empty is the book's model
    model_aliases: tuple[str, ...] = ()  # more names it answers to, comma-separated
    device: str = "auto"  # auto, cpu, cuda or mps
    num_blocks: int = 256  # KV blocks in the pool
    block_size: int = 16  # tokens a block
    max_running: int = 32  # requests computed together
    max_waiting: int = 64  # requests queued before 429
    max_step_tokens: int = 512  # tokens computed in one engine step
    default_max_tokens: int = 512  # output tokens of a request that names no limit
    heartbeat_s: float = 15.0  # silence on a stream before a `: ping`
    lease_s: float = 60.0  # longest lease that X-Lease-Seconds may ask for
    header_timeout_s: float = 10.0  # a request's head must be complete by then
    body_timeout_s: float = 10.0  # and its body after that
    write_timeout_s: float = 30.0  # a frame not taken by then ends the run
    shutdown_s: float = 5.0  # wait for runs to end when the server stops
    max_body_bytes: int = 1_048_576  # larger bodies are answered 413
    max_json_depth: int = 64  # brackets inside brackets
    max_traces: int = 32  # finished runs whose trace is kept
    max_trace_steps: int = 1024  # steps a trace records; later ones are counted only
    allowed_origins: tuple[str, ...] = ()  # web origins let in beside our own

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not (math.isfinite(value) and value > 0):
                raise _bad(field.name, value, "use seconds above 0")
        if not 0 <= self.port <= 65535:
            raise _bad("port", self.port, "use 0 to 65535")
        for name in ("max_body_bytes", "max_json_depth", "default_max_tokens"):
            if getattr(self, name) < 1:
                raise _bad(name, getattr(self, name), "use a whole number above 0")
        for name in ("max_traces", "max_trace_steps"):
            if getattr(self, name) < 0:
                raise _bad(name, getattr(self, name), "use 0 or more")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read `LAB_…` from `environ`, or from the process where it is None."""
        source = os.environ if environ is None else environ
        given = {name: text for name, text in source.items() if name.startswith(PREFIX)}
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        reject_unknown(sorted(given), known, "the environment")
        values = {
            known[name].name: _read(name, text, str(known[name].type))
            for name, text in given.items()
        }
        return cls(**values)

    def engine(self) -> EngineConfig:
        """The engine's part of these settings, checked by the engine's own rules."""
        return EngineConfig(
            block_size=self.block_size,
            num_blocks=self.num_blocks,
            max_running=self.max_running,
            max_waiting=self.max_waiting,
            max_step_tokens=self.max_step_tokens,
        )


def share_cores() -> None:
    """Let OpenMP's idle threads sleep; call it before torch is imported.

    By default they spin while they wait for each other. Where a browser or a kernel
    wants the same cores, a spinning thread keeps the one it waits for from running, and
    a decode step was seen to take five times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _bad(name: str, value: object, remedy: str) -> ConfigError:
    return ConfigError(f"{PREFIX}{name.upper()}={value!r}: {remedy}")


def _read(name: str, text: str, kind: str) -> Any:
    """`text` as a value of the field's type."""
    if kind == "str":
        return text
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        what = "a whole number" if kind == "int" else "a number"
        raise ConfigError(f"{name}={text!r}: use {what}") from None

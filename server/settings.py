"""Every setting of the server, read once from `LAB_…` variables into a frozen value.

This is the only file of the project that reads the environment. A value that cannot
work is a `ConfigError` that names its variable. A `LAB_…` name that is no setting is
warned about and ignored, because other programs on a machine may use such names too.
"""

from __future__ import annotations

import difflib
import ipaddress
import logging
import os
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from labkit.config import EngineConfig
from labkit.errors import ConfigError

__all__ = ["PREFIX", "Settings", "share_cores"]

PREFIX = "LAB_"
HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def _comma_separated(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _host_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_host_name(name) for name in names)


def _host_name(name: str) -> str:
    plain = name.lower().strip("[]").removesuffix(".")
    if HOST_NAME.fullmatch(plain):
        return plain
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        raise ValueError(
            f"{name!r} is not a host name; write names or addresses alone, without "
            "scheme, port or wildcard, as in lab.example.org"
        ) from None


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)]
Hosts = Annotated[Names, AfterValidator(_host_names)]


class Settings(BaseSettings):
    """How the server listens, what it serves and how patient it is.

    `LAB_` and the field's name in capitals is the variable: `LAB_MAX_RUNNING=8`. An
    empty variable counts as one that is not set. `Settings()` has the defaults;
    only `Settings.from_env()` looks at the environment.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    host: str = "127.0.0.1"  # address to listen on; other machines cannot reach this
    port: int = Field(8010, ge=0, le=65535)  # 0 takes any free port
    allowed_hosts: Hosts = ()  # host names it answers to beside the loopback ones
    proxy_secret: SecretStr = SecretStr("")  # a trusted proxy sends it in its header
    auth: Literal["on", "off"] = "on"  # off: everybody who can connect may ask
    api_key: SecretStr = SecretStr("")  # the key of the tenant "local"
    keys_file: str = ""  # JSON of hashed keys, tenants and tiers
    limits: Literal["off", "anthropic", "openai", "bedrock"] = "off"  # whose rules
    rpm: int = Field(0, ge=0)  # requests a minute for each tenant; 0: no such limit
    itpm: int = Field(0, ge=0)  # input tokens a minute (anthropic)
    otpm: int = Field(0, ge=0)  # output tokens a minute (anthropic)
    tpm: int = Field(0, ge=0)  # tokens a minute, both together (openai, bedrock)
    tiers: Names = ()  # times these limits by tier, as in pro=10,free=1; others: once
    allowed_origins: Names = ()  # web origins let in beside our own
    model: str = ""  # GGUF file or Hugging Face folder; empty is the book's model
    model_aliases: Names = ()  # more names it answers to, comma-separated
    device: str = "auto"  # auto, cpu, cuda or mps
    kernels: str = "auto"  # auto, native (the kernels in C) or torch (PyTorch alone)
    num_blocks: int = 256  # KV blocks in the pool
    block_size: int = 16  # tokens a block
    max_running: int = 32  # requests computed together
    max_waiting: int = 64  # requests queued before 429
    max_step_tokens: int = 512  # tokens computed in one engine step
    limit_concurrency: int = Field(256, ge=1)  # HTTP requests in flight before 503
    default_max_tokens: int = Field(512, ge=1)  # output tokens where none are named
    heartbeat_s: Seconds = 15.0  # silence on a stream before a `: ping`
    lease_s: Seconds = 60.0  # longest lease that X-Lease-Seconds may ask for
    keep_alive_s: Seconds = 120.0  # an idle connection is kept open; clients pool less
    header_timeout_s: Seconds = 10.0  # a request's head must be complete by then
    body_timeout_s: Seconds = 10.0  # and its body after that
    write_timeout_s: Seconds = 30.0  # a frame not taken by then ends the run
    step_timeout_s: Seconds = 60.0  # an engine with work and silent so long is dead
    max_restarts: int = Field(3, ge=0)  # dead engines replaced within the window
    restart_window_s: Seconds = 600.0  # beyond it a restart is forgotten
    shutdown_s: Seconds = 5.0  # when told to stop, open streams are cut by then
    max_body_bytes: int = Field(1_048_576, ge=1)  # larger bodies are answered 413
    max_json_depth: int = Field(64, ge=1)  # brackets inside brackets
    idempotency_s: Seconds = 600.0  # an answer with an Idempotency-Key is kept so long
    max_idempotent: int = Field(256, ge=1)  # answers kept for their keys
    max_traces: int = Field(32, ge=0)  # finished runs whose trace is kept
    max_trace_steps: int = Field(1024, ge=0)  # steps recorded; later ones are counted

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone, so that `Settings()` is the defaults."""
        return (init_settings,)

    @classmethod
    def from_env(cls, **given: Any) -> Settings:
        """Read the `LAB_…` variables of this process; values in `given` win."""
        _warn_of_unknown(os.environ)
        try:
            settings = cls(**{**EnvSettingsSource(cls)(), **given})
        except ValidationError as error:
            raise ConfigError("; ".join(_complaints(error))) from None
        try:
            settings.engine()
        except ConfigError as error:  # it begins with the setting's own name
            name, rest = str(error).split("=", 1)
            raise ConfigError(f"{PREFIX}{name.upper()}={rest}") from None
        return settings

    def with_key(self, key: str) -> Settings:
        """The same settings with `key` as the API key."""
        return self.model_copy(update={"api_key": SecretStr(key)})

    def engine(self) -> EngineConfig:
        """The engine's part of these settings, checked by the engine's own rules."""
        return EngineConfig(
            block_size=self.block_size,
            num_blocks=self.num_blocks,
            max_running=self.max_running,
            max_waiting=self.max_waiting,
            max_step_tokens=self.max_step_tokens,
            kernels=self.kernels,
        )


def share_cores() -> None:
    """Let OpenMP's idle threads sleep; call it before torch is imported.

    By default they spin while they wait for each other. Where a browser or a kernel
    wants the same cores, a spinning thread keeps the one it waits for from running, and
    a decode step was seen to take five times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _complaints(error: ValidationError) -> list[str]:
    """One sentence a value: its variable, the value and what it should be."""
    found = []
    for fault in error.errors(include_url=False):
        name, reason = str(fault["loc"][0]), str(fault["msg"])
        reason = reason.removeprefix("Value error, ").replace("Input", "it", 1)
        found.append(f"{PREFIX}{name.upper()}={fault['input']!r}: {reason}")
    return found


def _warn_of_unknown(names: Any) -> None:
    """Say once for each `LAB_…` name that it is no setting, and which one is near."""
    known = {name.upper() for name in Settings.model_fields}
    logger = logging.getLogger(__name__)
    for name in sorted(names):
        short = name.upper().removeprefix(PREFIX)
        if not name.upper().startswith(PREFIX) or short in known:
            continue
        near = difflib.get_close_matches(short, known, n=1)
        hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        logger.warning(
            "%s is not a setting of this server and is ignored%s", name, hint
        )

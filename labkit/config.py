"""What a model is and how an engine is set up, as frozen values.

`ModelConfig` is read from weights and never edited. `EngineConfig` is what a person
writes; `resolve()` gives a new value with nothing left open. An unknown key is an error
that names the nearest known one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from labkit.errors import ConfigError

__all__ = [
    "KERNELS",
    "POLICIES",
    "EngineConfig",
    "ModelConfig",
    "RopeScaling",
    "from_mapping",
    "reject_unknown",
    "require_kernels",
]

T = TypeVar("T")
KERNELS = ("auto", "native", "torch")  # the C ones wherever they can; these; PyTorch
POLICIES = ("decode-first", "prefill-first")


def reject_unknown(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise `ConfigError` for the first name in `given` that is not in `known`."""
    names = sorted(known)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
            raise ConfigError(f"{what} has no setting {name!r}; {hint}")


def require_kernels(kernels: str) -> None:
    """Raise `ConfigError` unless `kernels` is one of `KERNELS`."""
    if kernels not in KERNELS:
        raise ConfigError(f"kernels={kernels!r}: use {', '.join(KERNELS)}")


def from_mapping(kind: type[T], values: Mapping[str, Any]) -> T:
    """Build the dataclass `kind` from `values`, refusing names it does not have."""
    reject_unknown(values, (f.name for f in fields(kind)), kind.__name__)  # type: ignore[arg-type]  # a TypeVar cannot say "dataclass"
    return kind(**values)


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """Llama 3's frequency scaling (`rope_type: llama3` in Hugging Face configs)."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_context: int


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of a Llama-family decoder: Llama, SmolLM2, Qwen2 and Qwen3."""

    family: str  # "llama", "qwen2" or "qwen3"
    vocab_size: int
    width: int  # hidden size
    num_layers: int
    num_heads: int  # query heads
    num_kv_heads: int
    head_dim: int
    ffn_width: int
    rope_theta: float
    norm_eps: float
    max_context: int  # tokens
    is_tied: bool = False  # the head is the transposed embedding
    has_qkv_bias: bool = False  # Qwen2
    has_qk_norm: bool = False  # Qwen3
    rope_scaling: RopeScaling | None = None

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise ConfigError(
                f"num_heads={self.num_heads} is not a multiple of "
                f"num_kv_heads={self.num_kv_heads}; check the model's config"
            )

    def kv_bytes_per_token(self, element_bytes: int) -> int:
        """Bytes of keys and values one token keeps: 2 * L * H_kv * d_h * bytes."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim * element_bytes


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How much the engine may hold and do at once."""

    block_size: int = 16  # tokens a block
    num_blocks: int = 256  # blocks in the pool
    max_running: int = 32  # sequences computed together
    max_waiting: int = 64  # sequences queued before `QueueFull`
    max_step_tokens: int = 512  # tokens computed in one step
    max_context: int | None = None  # tokens a sequence; None: what the model allows
    prefix_caching: bool = True  # full blocks are kept and found again by their hash
    policy: str = "decode-first"  # or "prefill-first": who comes first in a step
    max_drafts: int = 0  # tokens a sequence drafts ahead; 0: no speculation
    kernels: str = "auto"  # what computes: "native" is C, "torch" the readable path

    def __post_init__(self) -> None:
        size = self.block_size
        if size < 1 or size & (size - 1):
            raise ConfigError(f"block_size={size}: use a power of two, such as 16")
        for name in ("num_blocks", "max_running", "max_step_tokens"):
            if getattr(self, name) < 1:
                value = getattr(self, name)
                raise ConfigError(f"{name}={value}: use a whole number above 0")
        if self.max_waiting < 0:
            raise ConfigError(f"max_waiting={self.max_waiting}: use 0 or more")
        if self.policy not in POLICIES:
            raise ConfigError(f"policy={self.policy!r}: use {' or '.join(POLICIES)}")
        require_kernels(self.kernels)
        if self.max_drafts < 0:
            raise ConfigError(f"max_drafts={self.max_drafts}: use 0 or more")
        if self.max_context is not None and self.max_context < 2:
            raise ConfigError(f"max_context={self.max_context}: use at least 2 tokens")

    def resolve(self, model: ModelConfig) -> EngineConfig:
        """The same set-up with `max_context` fixed by model, pool and wish."""
        wish = self.max_context or model.max_context
        capacity = self.num_blocks * self.block_size
        return replace(self, max_context=min(wish, model.max_context, capacity))

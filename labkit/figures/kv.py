"""How large the KV cache is: formulas for GQA, MHA and MLA, by model and by GPU.

The functions are pure and work on plain records. In MLA one latent vector replaces the
keys and values of all heads of a layer, so its formula has no factor of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from labkit.figures.drawings import Bars
from labkit.records import Layer

__all__ = [
    "GPU",
    "LATENT",
    "KVLoad",
    "KVSums",
    "ModelShape",
    "gib",
    "kv_bars",
    "kv_sums",
]

LATENT = 576  # numbers per token and layer in DeepSeek-V3: 512, and 64 for RoPE
WEIGHT_BYTES = 2  # bfloat16
USABLE = Fraction(9, 10)  # of a GPU's memory; activations and others need the rest
GB = 10**9  # as vendors count a GPU's memory
GIB = 2**30  # the unit of every size that is shown


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The dimensions of a model that decide how large its KV cache is."""

    name: str
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int  # of keys, and of values unless `value_dim` says otherwise
    num_params: int
    value_dim: int | None = None
    latent_dim: int | None = None  # MLA: numbers kept a token and layer

    @property
    def attention(self) -> str:
        """MLA, MHA or GQA."""
        if self.latent_dim is not None:
            return "MLA"
        return "MHA" if self.num_heads == self.num_kv_heads else "GQA"

    def numbers(self, kind: str | None = None) -> int:
        """Numbers cached per token, as built or as `kind` ("MHA", "MLA") would need."""
        if (kind or self.attention) == "MLA":
            return self.num_layers * (self.latent_dim or LATENT)
        heads = self.num_heads if kind == "MHA" else self.num_kv_heads
        return self.num_layers * heads * (self.head_dim + self.values_dim)

    @property
    def values_dim(self) -> int:
        """Width of one head's values."""
        return self.value_dim or self.head_dim


@dataclass(frozen=True, slots=True)
class GPU:
    """An accelerator; memory in units of 10^9 bytes, as vendors count."""

    name: str
    memory_gb: int
    bandwidth_tb_s: float
    bf16_tflops: float  # dense, without sparsity

    @property
    def ridge(self) -> float:
        """Operations per byte above which arithmetic is the limit (the ridge point)."""
        return self.bf16_tflops / self.bandwidth_tb_s


@dataclass(frozen=True, slots=True)
class KVLoad:
    """How many sequences of which length the cache has to hold."""

    context: int = 8192  # tokens a sequence
    batch: int = 1  # sequences at once
    element_bits: int = 16
    num_gpus: int = 1


@dataclass(frozen=True, slots=True)
class KVSums:
    """The answer, in bytes; `max_sequences` is 0 where the weights alone do not fit."""

    token: int
    token_mha: int
    token_mla: int
    sequence: int
    batch: int
    weights: int
    usable: int
    max_sequences: int
    even_context: int  # tokens whose cache weighs as much as the weights


def kv_sums(shape: ModelShape, gpu: GPU, load: KVLoad) -> KVSums:
    """Everything the calculator shows."""

    def size(kind: str | None) -> int:
        return shape.numbers(kind) * load.element_bits // 8

    weights = shape.num_params * WEIGHT_BYTES
    usable = int(USABLE * gpu.memory_gb * GB) * load.num_gpus
    sequence = size(None) * load.context
    return KVSums(
        token=size(None),
        token_mha=size("MHA"),
        token_mla=size("MLA"),
        sequence=sequence,
        batch=sequence * load.batch,
        weights=weights,
        usable=usable,
        max_sequences=max(0, usable - weights) // sequence,
        even_context=weights // size(None),
    )


def kv_bars(shape: ModelShape, gpu: GPU, load: KVLoad) -> Bars:
    """Bars of the GPU's memory, the weights, and the cache under each kind of head."""
    sums = kv_sums(shape, gpu, load)
    tokens = load.context * load.batch
    many = f"{load.num_gpus} x " if load.num_gpus > 1 else ""
    room = f"90 % of {many}{gpu.name}"
    rows = [
        (room, sums.usable, Layer.NETWORK),
        ("weights, bfloat16", sums.weights, Layer.COMPUTE),
        (f"cache as built ({shape.attention})", sums.batch, Layer.CACHE),
        ("cache with MHA", sums.token_mha * tokens, Layer.STREAMING),
        ("cache with a latent (MLA)", sums.token_mla * tokens, Layer.SAMPLING),
    ]
    return Bars(
        title=_title(shape, load, sums),
        alt=f"{_numbers(shape, load, sums)} {_room(room, load, sums)}",
        labels=tuple(name for name, _, _ in rows),
        values=tuple(round(value / GIB, 3) for _, value, _ in rows),
        unit="GiB",
        layers=tuple(layer for _, _, layer in rows),
    )


def gib(num_bytes: int) -> str:
    """Bytes in GiB, with three decimals below ten of them, one above."""
    size = num_bytes / GIB
    return f"{size:,.{3 if size < 10 else 1}f} GiB"


def _many(load: KVLoad) -> str:
    return "a sequence" if load.batch == 1 else f"{load.batch:,} sequences"


def _title(shape: ModelShape, load: KVLoad, sums: KVSums) -> str:
    return (
        f"{shape.name}: {gib(sums.batch)} of cache for {_many(load)} of "
        f"{load.context:,} tokens"
    )


def _numbers(shape: ModelShape, load: KVLoad, sums: KVSums) -> str:
    return (
        f"{sums.token:,} bytes a token at {load.element_bits} bits a number "
        f"({shape.attention}); MHA would take {sums.token_mha:,}, a latent of "
        f"{shape.latent_dim or LATENT} numbers a layer {sums.token_mla:,}. Cache and "
        f"weights weigh the same at {sums.even_context:,} tokens."
    )


def _room(room: str, load: KVLoad, sums: KVSums) -> str:
    """How many sequences fit, and whether those that are asked for do."""
    head = f"{room} is {gib(sums.usable)}, weights take {gib(sums.weights)}"
    if sums.usable < sums.weights:
        return f"{head}: the weights alone do not fit."
    fits = "fits" if load.batch <= sums.max_sequences else "does not fit"
    return (
        f"{head}: {sums.max_sequences:,} such sequences fit beside them; the cache of "
        f"{_many(load)} {fits}."
    )

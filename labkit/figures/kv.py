"""How large the KV cache is: formulas for GQA, MHA and MLA, by model and by GPU.

The functions are pure and work on plain records. In MLA one latent vector replaces the
keys and values of all heads of a layer, so its formula has no factor of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from labkit.figures.drawings import Memory, MemoryPart
from labkit.records import Layer

__all__ = [
    "GPU",
    "LATENT",
    "KVLoad",
    "KVSums",
    "ModelShape",
    "beyond",
    "kv_memory",
    "kv_sums",
    "size",
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
    max_context: int | None = None  # tokens that the model was made for

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

    def per_token(kind: str | None) -> int:
        return shape.numbers(kind) * load.element_bits // 8

    weights = shape.num_params * WEIGHT_BYTES
    usable = int(USABLE * gpu.memory_gb * GB) * load.num_gpus
    sequence = per_token(None) * load.context
    return KVSums(
        token=per_token(None),
        token_mha=per_token("MHA"),
        token_mla=per_token("MLA"),
        sequence=sequence,
        batch=sequence * load.batch,
        weights=weights,
        usable=usable,
        max_sequences=max(0, usable - weights) // sequence,
        even_context=weights // per_token(None),
    )


def kv_memory(shape: ModelShape, gpu: GPU, load: KVLoad) -> Memory:
    """Weights and cache in the GPU's memory; below, the cache by kind of head."""
    sums = kv_sums(shape, gpu, load)
    tokens = load.context * load.batch
    many = f"{load.num_gpus} x " if load.num_gpus > 1 else ""
    room = f"90 % of {many}{gpu.name}: {size(sums.usable)}"
    left = sums.usable - sums.weights - sums.batch
    others = (
        (f"cache as built ({shape.attention})", sums.batch, Layer.CACHE),
        ("cache with MHA", sums.token_mha * tokens, Layer.STREAMING),
        ("cache with a latent (MLA)", sums.token_mla * tokens, Layer.SAMPLING),
    )
    rest = f"free: {size(left)}" if left >= 0 else f"too much by {size(-left)}"
    return Memory(
        title=_title(shape, f"{many}{gpu.name}", load, sums),
        alt=f"{_numbers(shape, load, sums)} {_room(room, load, sums)}",
        room=room,
        num_bytes=sums.usable,
        rest=rest,
        parts=(
            _part("weights, bfloat16", sums.weights, Layer.COMPUTE),
            _part(f"cache of {_many(load)}", sums.batch, Layer.CACHE, load.batch),
        ),
        others=tuple(_part(*other) for other in others),
    )


def beyond(shape: ModelShape, load: KVLoad) -> str:
    """A sentence where the context is longer than the model takes, else nothing."""
    if shape.max_context is None or load.context <= shape.max_context:
        return ""
    return (
        f"{shape.name} takes at most {shape.max_context:,} tokens: a context of "
        f"{load.context:,} would fill this memory, but the model cannot use it."
    )


def size(num_bytes: int) -> str:
    """Bytes in GiB, or in TiB from 1,024 GiB on; three decimals below ten, else one."""
    unit, value = "GiB", num_bytes / GIB
    if value >= 1024:
        unit, value = "TiB", value / 1024
    return f"{value:,.{3 if value < 10 else 1}f} {unit}"


def _part(name: str, num_bytes: int, layer: Layer, pieces: int = 1) -> MemoryPart:
    return MemoryPart(name, layer, num_bytes, size(num_bytes), pieces)


def _many(load: KVLoad) -> str:
    return "1 sequence" if load.batch == 1 else f"{load.batch:,} sequences"


def _title(shape: ModelShape, gpus: str, load: KVLoad, sums: KVSums) -> str:
    if sums.usable < sums.weights:
        return f"{shape.name}: the weights alone do not fit on {gpus}"
    most = sums.max_sequences
    each = f"of {load.context:,} tokens"
    if load.batch <= most:
        fits = "1 sequence" if most == 1 else f"up to {most:,} sequences"
        return f"{shape.name} on {gpus}: {fits} {each} fit beside the weights"
    fits = "none fits" if most == 0 else f"{most:,} would"
    return f"{shape.name} on {gpus}: {_many(load)} {each} do not fit; {fits}"


def _numbers(shape: ModelShape, load: KVLoad, sums: KVSums) -> str:
    return (
        f"A token takes {sums.token:,} bytes at {load.element_bits} bits a number "
        f"({shape.attention}); MHA would take {sums.token_mha:,}, a latent of "
        f"{shape.latent_dim or LATENT} numbers a layer {sums.token_mla:,}. Cache and "
        f"weights weigh the same at {sums.even_context:,} tokens."
    )


def _room(room: str, load: KVLoad, sums: KVSums) -> str:
    """How many sequences fit, and whether those that are asked for do."""
    head = f"{room}, weights take {size(sums.weights)}"
    if sums.usable < sums.weights:
        return f"{head}: the weights alone do not fit."
    fits = "fits" if load.batch <= sums.max_sequences else "does not fit"
    return (
        f"{head}: {sums.max_sequences:,} such sequences fit beside them; the cache of "
        f"{_many(load)}, {size(sums.batch)}, {fits}."
    )

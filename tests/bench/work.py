"""What a token costs at least: bytes read and operations, from the model's shape.

A step reads each matrix once, whatever its batch, and every sequence's own keys and
values. The GGUF keeps matrices as Q4_1 (20 bytes for 32 weights), the embedding, which
is the head too, as Q8_0 (34 bytes for 32), norms as float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SMOLLM2", "Shape", "bound_s", "bytes_a_step", "operations"]

Q4_1 = 20 / 32  # bytes a weight
Q8_0 = 34 / 32
FLOAT = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """A tied Llama's sizes."""

    vocab_size: int = 49152
    width: int = 576
    num_layers: int = 30
    num_heads: int = 9
    num_kv_heads: int = 3
    head_dim: int = 64
    ffn_width: int = 1536

    @property
    def num_matrix_weights(self) -> int:
        """Weights of all layers' matrices."""
        heads, kv = (n * self.head_dim for n in (self.num_heads, self.num_kv_heads))
        a_layer = self.width * (2 * heads + 2 * kv + 3 * self.ffn_width)
        return self.num_layers * a_layer

    @property
    def num_head_weights(self) -> int:
        """Weights of the head."""
        return self.vocab_size * self.width

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of one token in float32."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim * FLOAT


SMOLLM2 = Shape()


def bytes_a_step(
    shape: Shape = SMOLLM2, *, context: int, rows: int = 1, is_packed: bool = True
) -> float:
    """Bytes that one step over `rows` sequences of `context` tokens must read."""
    norms = FLOAT * shape.width * (2 * shape.num_layers + 1)
    matrix, head = (Q4_1, Q8_0) if is_packed else (FLOAT, FLOAT)
    weights = shape.num_matrix_weights * matrix + shape.num_head_weights * head
    return norms + weights + rows * context * shape.kv_bytes_per_token


def operations(
    shape: Shape = SMOLLM2, *, tokens: int, start: int, scored: int
) -> float:
    """Multiplications and additions of a pass of `tokens` new tokens."""
    seen = tokens * start + tokens * (tokens + 1) / 2
    heads = shape.num_layers * shape.num_heads * shape.head_dim
    return (
        2 * shape.num_matrix_weights * tokens
        + 2 * shape.num_head_weights * scored
        + 4 * heads * seen
    )


def bound_s(
    num_bytes: float, num_operations: float, roofs: Mapping[str, float]
) -> float:
    """Seconds that the machine needs at least: bytes moved or operations done."""
    best = max(roofs[name] for name in ("float32", "bfloat16"))
    return max(num_bytes / max(roofs["copy"], roofs["read"]), num_operations / best)

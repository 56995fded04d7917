"""The C kernels as Python calls on tensors: pointers and sizes, nothing else.

A struct here mirrors the one of the same name in `layer.c`, field by field. The
tensors behind the pointers are held by whoever made the struct.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.model.kv_store import KVStore
from labkit.model.native.library import open_library

__all__ = ["Kernels", "Layer", "Matrix", "Pass", "Scratch"]

Pointer, Int = ctypes.c_void_p, ctypes.c_int32


class Matrix(ctypes.Structure):
    """GGUF blocks of a matrix [out, in]: Q8_0 if `is_q8`, else Q4_1."""

    _fields_ = (("blocks", Pointer), ("out", Int), ("in_", Int), ("is_q8", Int))


class Layer(ctypes.Structure):
    """One layer's weights."""

    _fields_ = (
        ("attention_norm", Pointer),
        ("ffn_norm", Pointer),
        *((name, Matrix) for name in ("query", "key", "value", "output")),
        *((name, Matrix) for name in ("gate", "up", "down")),
    )


class Shape(ctypes.Structure):
    """What all layers share."""

    _fields_ = (
        *((name, Int) for name in ("width", "ffn_width", "num_heads", "num_kv_heads")),
        ("head_dim", Int),
        ("num_threads", Int),
        ("norm_eps", ctypes.c_float),
    )


class Pass(ctypes.Structure):
    """One forward pass: its tokens, where they go and what they see."""

    _fields_ = (
        ("num_tokens", Int),
        ("context", Int),
        *((name, Pointer) for name in ("rows", "positions", "write_slots")),
        *((name, Pointer) for name in ("read_slots", "cos", "sin")),
    )


class Scratch(ctypes.Structure):
    """Room for what a layer computes on the way."""

    _fields_ = tuple(
        (name, Pointer)
        for name in ("normed", "queries", "mixed", "gated", "up", "scores")
    )


class Kernels:
    """The compiled kernels for models of one shape."""

    def __init__(self, library: ctypes.CDLL, config: ModelConfig) -> None:
        self._shape = Shape(
            config.width,
            config.ffn_width,
            config.num_heads,
            config.num_kv_heads,
            config.head_dim,
            torch.get_num_threads(),
            config.norm_eps,
        )
        self._run_layers = library.run_layers
        self._run_layers.argtypes = [
            *(Pointer, Pointer, Int, Pointer, Pointer),
            *(Pointer, Pointer, Pointer, ctypes.c_int64),
        ]
        self._run_layers.restype = None
        self._multiply = library.multiply
        self._multiply.argtypes = [Pointer, Pointer, Int, Pointer, Pointer]
        self._multiply.restype = None

    @classmethod
    def open(cls, config: ModelConfig, cache: Path) -> Kernels | None:
        """Kernels for `config`; None where they cannot be compiled."""
        library = open_library(cache)
        return None if library is None else cls(library, config)

    @property
    def num_threads(self) -> int:
        """How many threads share a layer."""
        return int(self._shape.num_threads)

    def run_layers(
        self,
        layers: ctypes.Array[Layer],
        step: Pass,
        room: Scratch,
        x: Tensor,
        kv: KVStore,
        depth: int,
    ) -> None:
        """Put `x`, float32 [tokens, width], through the first `depth` layers."""
        at = ctypes.addressof
        self._run_layers(
            at(self._shape),
            at(layers),
            depth,
            at(step),
            at(room),
            x.data_ptr(),
            *kv.addresses(),
        )

    def multiply(self, matrix: Matrix, x: Tensor) -> Tensor:
        """float32 [n, out]: x [n, in] times the transposed matrix."""
        y = torch.empty(len(x), matrix.out)
        at = ctypes.addressof
        self._multiply(at(self._shape), at(matrix), len(x), x.data_ptr(), y.data_ptr())
        return y

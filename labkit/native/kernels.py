"""The C kernels as Python functions: pointers and sizes, nothing else.

A struct here mirrors the one of the same name in C, field by field; the sizes are
compared when the library is opened. The tensors behind the pointers are held by whoever
made the struct.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labkit.native.library import open_library

__all__ = [
    "MAX_LANES",
    "MAX_ROWS",
    "Kernels",
    "Layer",
    "Matrix",
    "Model",
    "Pass",
    "Refusal",
    "Scratch",
]

MAX_LANES = 16  # numbers of the widest register
MAX_ROWS = 32  # of the widest tile; a head has a multiple of them
Pointer, Int, Long = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64


class Matrix(ctypes.Structure):
    """Packed blocks of a matrix [out, in]: from Q8_0 if `is_q8`, else from Q4_1."""

    _fields_ = (("tiles", Pointer), ("out", Int), ("in_", Int), ("is_q8", Int))


class Layer(ctypes.Structure):
    """One layer's weights."""

    _fields_ = (
        ("attention_norm", Pointer),
        ("ffn_norm", Pointer),
        *((name, Matrix) for name in ("query", "key", "value", "output")),
        *((name, Matrix) for name in ("gate", "up", "down")),
    )


class Model(ctypes.Structure):
    """A decoder's shape and weights."""

    _fields_ = (
        *((name, Int) for name in ("width", "num_heads", "num_kv_heads")),
        *((name, Int) for name in ("head_dim", "num_threads")),
        ("norm_eps", ctypes.c_float),
        ("layers", ctypes.POINTER(Layer)),
        ("final_norm", Pointer),
        ("frequencies", Pointer),
        ("head", Matrix),
    )


class Pass(ctypes.Structure):
    """One forward pass: its tokens, where they go and what they see."""

    _fields_ = (
        *((name, Int) for name in ("num_tokens", "num_scored", "context")),
        *((name, Int) for name in ("num_rows", "num_slots")),
        *((name, Pointer) for name in ("rows", "context_lens", "positions")),
        *((name, Pointer) for name in ("write_slots", "read_slots", "scored")),
        *(("keys", Pointer), ("values", Pointer), ("layer_size", Long)),
        *(("x", Pointer), ("logits", Pointer)),
    )


class Scratch(ctypes.Structure):
    """Room for what a pass computes on the way."""

    _fields_ = (
        *((name, Pointer) for name in ("cos", "sin", "queries", "keys", "values")),
        *((name, Pointer) for name in ("mixed", "gated", "up", "room", "normed")),
        *((name, Pointer) for name in ("scores", "pairs", "scales", "sums")),
        *((name, Long) for name in ("normed_size", "scores_size", "num_blocks")),
        *(("num_tokens", Int), ("max_context", Int)),
    )


STRUCTS = (Matrix, Layer, Model, Pass, Scratch)  # in the order of struct_sizes in C


class Refusal(IntEnum):
    """Which tensor made `forward` compute nothing; the numbers are C's."""

    CONTEXT_LENS = 1
    POSITIONS = 2
    WRITE_SLOTS = 3
    READ_SLOTS = 4


class Kernels:
    """The compiled kernels."""

    def __init__(self, library: ctypes.CDLL) -> None:
        theirs = tuple((Int * len(STRUCTS)).in_dll(library, "struct_sizes"))
        ours = tuple(map(ctypes.sizeof, STRUCTS))
        assert theirs == ours, f"structs of {theirs} bytes in C, of {ours} in Python"
        self.num_threads = torch.get_num_threads()
        self._packed_bytes = _function(library.packed_bytes, Long, Pointer)
        self._pack = _function(library.pack, None, Pointer, Pointer, Pointer, Int)
        # Puts a pass through the first `depth` layers and the head: (model, pass,
        # scratch, depth) -> 0, or why the pass is refused, a `Refusal` in the bits from
        # 48 on, and below them the index of the first number that is wrong. Nothing
        # was computed or written then.
        structs = map(ctypes.POINTER, (Model, Pass, Scratch))
        self.forward = _function(library.forward, Long, *structs, Int)
        self._exert = _function(library.exert, Long, Int, Int)

    @classmethod
    def open(cls, cache: Path) -> Kernels | None:
        """The kernels; None where they cannot be compiled."""
        library = open_library(cache)
        return None if library is None else cls(library)

    def pack(self, matrix: Matrix, blocks: Tensor) -> Tensor:
        """A matrix's GGUF blocks, uint8, as `forward` reads them: uint8 [bytes]."""
        at = ctypes.addressof(matrix)
        tiles = torch.empty(self._packed_bytes(at), dtype=torch.uint8)
        self._pack(at, blocks.data_ptr(), tiles.data_ptr(), self.num_threads)
        return tiles

    def exert(self, rounds: int = 1 << 20) -> int:
        """Do nothing but multiply and add, on all threads: how many of both."""
        return int(self._exert(rounds, self.num_threads))


def _function(found: Any, result: Any, *arguments: Any) -> Any:
    found.argtypes, found.restype = arguments, result
    return found

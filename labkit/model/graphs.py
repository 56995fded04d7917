"""Decode steps of fixed shapes, recorded once and replayed: CUDA graphs.

A decode step of a small model launches hundreds of kernels that each take less time
than their launch; a replayed graph launches once. A graph's shapes are fixed, so rows
are filled up to a power of two by repeating the last one (it writes the same values to
the same slot) and contexts to a multiple of `CONTEXT_STEP` by slots that nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore

__all__ = ["DecodeGraphs", "cuda_capture"]

CONTEXT_STEP = 256  # tokens
MAX_ROWS = 64

Forward = Callable[[], Tensor]


def cuda_capture(forward: Forward) -> Forward:
    """Record `forward` as a CUDA graph; calling the result runs it again in place."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # as torch has it
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries allocate at their first call
        forward()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = forward()

    def replay() -> Tensor:
        graph.replay()
        return logits

    return replay


class DecodeGraphs:
    """Recorded decode steps of one decoder and one store, by shape."""

    def __init__(
        self,
        decoder: Decoder,
        kv: KVStore,
        capture: Callable[[Forward], Forward] = cuda_capture,
    ) -> None:
        self._decoder = decoder
        self._kv = kv
        self._capture = capture
        self._graphs: dict[tuple[int, int], tuple[ForwardInputs, Forward]] = {}

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(rows, context) of what has been recorded."""
        return tuple(self._graphs)

    @torch.inference_mode()
    def logits(self, inputs: ForwardInputs) -> Tensor | None:
        """What the decoder's forward gives; None for other passes than decode steps."""
        rows = len(inputs.query_lens)
        if inputs.num_tokens != rows or not inputs.scores_all or rows > MAX_ROWS:
            return None
        context = -(-inputs.read_slots.shape[1] // CONTEXT_STEP) * CONTEXT_STEP
        shape = (1 << (rows - 1).bit_length(), context)
        filled = _filled(inputs, *shape)
        if shape not in self._graphs:
            forward = partial(self._decoder.forward, filled, self._kv)
            self._graphs[shape] = filled, self._capture(forward)
        kept, run = self._graphs[shape]
        for name in ("token_ids", "positions", "write_slots", "read_slots"):
            getattr(kept, name).copy_(getattr(filled, name))
        return run()[:rows].clone()  # the next replay writes there again


def _filled(inputs: ForwardInputs, rows: int, context: int) -> ForwardInputs:
    """`inputs` with more rows, all equal to its last, and wider contexts."""
    missing = rows - len(inputs.query_lens)

    def fill(values: Tensor) -> Tensor:
        last = values[-1:].expand(missing, *values.shape[1:])
        return torch.cat([values, last])

    slots = fill(inputs.read_slots)
    return ForwardInputs(
        token_ids=fill(inputs.token_ids),
        positions=fill(inputs.positions),
        write_slots=fill(inputs.write_slots),
        read_slots=torch.nn.functional.pad(slots, (0, context - slots.shape[1])),
        query_lens=(1,) * rows,
        context_lens=(context,) * rows,
        num_logits=(1,) * rows,
    )

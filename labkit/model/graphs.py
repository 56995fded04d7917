"""Decode steps of fixed shapes, recorded once and replayed: CUDA graphs.

A decode step of a small model launches hundreds of kernels that each take less time
than their launch; a replayed graph launches once. A graph's shapes are fixed, so rows
are filled up to a power of two by repeating the last one (it writes the same values to
the same slot) and contexts to a multiple of `CONTEXT_STEP` by slots that nobody sees.
All graphs share one pool of memory, the usual shapes are recorded before the first
request, and there are never more than `MAX_GRAPHS`: the one unused longest is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor

from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore

__all__ = ["MAX_GRAPHS", "START_SHAPES", "CudaCapture", "DecodeGraphs"]

CONTEXT_STEP = 256  # tokens
MAX_ROWS = 64
MAX_GRAPHS = 32  # recorded at a time
START_SHAPES = tuple((1 << n, CONTEXT_STEP) for n in range(6))  # 1 to 32 short rows

Forward = Callable[[], Tensor]
Shape = tuple[int, int]  # rows, context


class CudaCapture:
    """Records passes as CUDA graphs that take their memory from one pool.

    Sharing is safe because graphs run one after another, and what one gives is copied
    before the next one runs.
    """

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, forward: Forward) -> Forward:
        """Record `forward`; calling the result runs it again in place."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # as torch has it
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # libraries allocate at their first call
            forward()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            logits = forward()

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay


class DecodeGraphs:
    """Recorded decode steps of one decoder and one store, by shape.

    Without `capture` they are CUDA graphs.
    """

    def __init__(
        self,
        decoder: Decoder,
        kv: KVStore,
        capture: Callable[[Forward], Forward] | None = None,
        max_graphs: int = MAX_GRAPHS,
    ) -> None:
        self._decoder = decoder
        self._kv = kv
        self._capture = capture or CudaCapture()
        self._max_graphs = max_graphs
        self._graphs: dict[Shape, tuple[ForwardInputs, Forward]] = {}

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """(rows, context) of what is recorded, the one unused longest first."""
        return tuple(self._graphs)

    @torch.inference_mode()
    def record(self, shapes: Iterable[Shape] = START_SHAPES) -> None:
        """Record decode steps of these shapes, before there is a request.

        A recording runs once for real: it writes to slot 0, which must still be free.
        """
        for rows, context in shapes:
            self._recorded((rows, context), self._empty(rows, context))

    @torch.inference_mode()
    def logits(self, inputs: ForwardInputs) -> Tensor | None:
        """What the decoder's forward gives; None for other passes than decode steps."""
        rows = len(inputs.query_lens)
        if inputs.num_tokens != rows or not inputs.scores_all or rows > MAX_ROWS:
            return None
        context = -(-inputs.read_slots.shape[1] // CONTEXT_STEP) * CONTEXT_STEP
        shape = (1 << (rows - 1).bit_length(), context)
        filled = _filled(inputs, *shape)
        kept, run = self._recorded(shape, filled)
        for name in ("token_ids", "positions", "write_slots", "read_slots"):
            getattr(kept, name).copy_(getattr(filled, name))
        return run()[:rows].clone()  # the next replay writes there again

    def _recorded(
        self, shape: Shape, inputs: ForwardInputs
    ) -> tuple[ForwardInputs, Forward]:
        """The graph of `shape`, recorded on `inputs` if there is none yet."""
        found = self._graphs.pop(shape, None)
        if found is None:
            while len(self._graphs) >= self._max_graphs:
                del self._graphs[next(iter(self._graphs))]
            forward = partial(self._decoder.forward, inputs, self._kv)
            found = inputs, self._capture(forward)
        self._graphs[shape] = found  # now the one used last
        return found

    def _empty(self, rows: int, context: int) -> ForwardInputs:
        """Rows that each compute token 0 in slot 0."""
        zeros = torch.zeros(rows, dtype=torch.int64, device=self._decoder.device)
        return ForwardInputs(
            token_ids=zeros,
            positions=zeros.clone(),
            write_slots=zeros.clone(),
            read_slots=zeros[:, None].repeat(1, context),
            query_lens=(1,) * rows,
            context_lens=(context,) * rows,
            num_logits=(1,) * rows,
        )


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

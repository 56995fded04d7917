"""Records the block pool after every step of an engine, and the norms of its keys.

The frames are made of the engine's own events and views, by an observer on its one real
path, whoever steps the engine. Norms are taken at each step, since blocks are written
again later: keep the pool small.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike

import torch
from torch import Tensor

from labkit.engine import Engine
from labkit.records import PoolFrame, StepReport

__all__ = ["PoolLog"]


class PoolLog:
    """`log = PoolLog(engine)`; then `frames` and `reports`, until `close()`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reports: list[StepReport] = []
        with engine.lock:  # no step between the first frame and the observer
            self.frames = [PoolFrame(0, engine.block_views())]
            self._norms = [self._norms_now()]  # a frame: [slots of the pool, layers]
            self._undo = engine.observe(self._note)

    def step(self) -> PoolFrame | None:
        """One engine step and its frame; None where there is nothing to do."""
        with self.engine.lock:
            if not self.engine.has_work:
                return None
            self.engine.step()
            return self.frames[-1]

    def drain(self) -> None:
        """Step until nothing is left to do."""
        while self.step() is not None:
            pass

    def key_norms(self, frame: PoolFrame, block: int) -> ListLike[ListLike[float]]:
        """Length of the keys in each filled slot of `block` at that frame, by layer."""
        start = block * self.engine.config.block_size
        end = start + len(frame.blocks[block].token_ids)
        norms: list[list[float]] = self._norms[frame.step][start:end].tolist()
        return norms

    def close(self) -> None:
        """Stop recording."""
        self._undo()

    def _note(self, report: StepReport) -> None:
        views = self.engine.block_views()
        self.reports.append(report)
        frame = PoolFrame(len(self.frames), views, report.block_events)
        self._norms.append(self._norms_now())
        self.frames.append(frame)

    def _norms_now(self) -> Tensor:
        kv = self.engine.kv
        return kv.key_norms(torch.arange(kv.num_slots))

"""An engine whose every step leaves a frame of its block pool behind.

The frames are made of the engine's own events and views, by an observer on its one real
path. One lock keeps a page's button and a running cell from stepping it at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence as ListLike

import torch

from labkit.engine import Engine
from labkit.records import BlockView, PoolFrame, StepReport

__all__ = ["PoolLog"]


class PoolLog:
    """`log = PoolLog(engine)`; then `frames` and `reports`, until `close()`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.frames = [PoolFrame(0, engine.block_views())]
        self.reports: list[StepReport] = []
        self._lock = threading.RLock()
        self._undo = engine.observe(self._note)

    def step(self) -> PoolFrame | None:
        """One engine step and its frame; None where there is nothing to do."""
        with self._lock:
            if not self.engine.has_work:
                return None
            self.engine.step()
            return self.frames[-1]

    def drain(self) -> None:
        """Step until nothing is left to do."""
        while self.step() is not None:
            pass

    def key_norms(self, view: BlockView) -> ListLike[ListLike[float]] | None:
        """Length of each slot's keys by layer; None if the block holds other tokens."""
        with self._lock:
            now = self.engine.block_views()[view.block]
            count = len(view.token_ids)
            if now.token_ids[:count] != view.token_ids or now.parent != view.parent:
                return None
            size = self.engine.config.block_size
            slots = torch.arange(count) + view.block * size
            norms: list[list[float]] = self.engine.kv.key_norms(slots).tolist()
            return norms

    def close(self) -> None:
        """Stop recording."""
        self._undo()

    def _note(self, report: StepReport) -> None:
        views = self.engine.block_views()
        self.reports.append(report)
        frame = PoolFrame(len(self.frames), views, report.block_events)
        self.frames.append(frame)

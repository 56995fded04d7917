"""What an observer of the sampling pipeline is shown: one `StageView` a stage.

Looks on only: it never changes logits, and where no row is watched it costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from labkit.records import StageView
from labkit.sampling.rows import SamplingRows

__all__ = ["StageWatcher", "Watch"]

Watch = Callable[[str, StageView], None]  # request id, what a stage did to its row
NUM_TOP = 10


class StageWatcher:
    """Reports on the watched rows of one step, stage after stage."""

    def __init__(self, logits: Tensor, rows: SamplingRows, watch: Watch) -> None:
        self._rows = rows
        self._watch = watch
        self._logits: Tensor | None = None  # shown last
        self._probs = self._watched(logits).softmax(dim=-1)  # after the stage before
        self._views: list[StageView] = []  # a watched row each
        self.show("model", logits)

    def show(self, name: str, logits: Tensor) -> None:
        """Report the distribution of `logits` [rows, vocab] after stage `name`."""
        if logits is self._logits:  # the stage passed every row by
            self._tell([replace(v, name=name, moved=0.0) for v in self._views])
            return
        self._logits = logits
        watched = self._watched(logits)
        num_kept = (watched > -torch.inf).sum(dim=-1)
        self._report(name, watched.softmax(dim=-1), num_kept)

    def show_draw(self, token_ids: Tensor) -> None:
        """Report the draw: one token is left, with probability 1."""
        chosen = self._watched(token_ids).unsqueeze(1)
        certain = torch.zeros_like(self._probs).scatter(1, chosen, 1.0)
        self._report("draw", certain, torch.ones(len(chosen), dtype=torch.int64))

    def _watched(self, tensor: Tensor) -> Tensor:
        return tensor[list(self._rows.watched)]

    def _report(self, name: str, probs: Tensor, num_kept: Tensor) -> None:
        moved = (probs - self._probs).abs().sum(dim=-1) / 2
        numbers = zip(probs, num_kept.tolist(), moved.tolist(), strict=True)
        self._tell([_view(name, p, int(k), float(m)) for p, k, m in numbers])
        self._probs = probs

    def _tell(self, views: list[StageView]) -> None:
        self._views = views
        for row, view in zip(self._rows.watched, views, strict=True):
            self._watch(self._rows.sequences[row].request, view)


def _view(name: str, probs: Tensor, kept: int, moved: float) -> StageView:
    best = probs.topk(min(NUM_TOP, kept))
    top = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    entropy = float(torch.special.entr(probs).sum())
    return StageView(name, kept, tuple(top), entropy, moved)

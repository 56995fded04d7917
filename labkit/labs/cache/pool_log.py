"""Records the block pool after every step of an engine.

The frames are made of the engine's own events and views, by an observer on its one real
path, whoever steps the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.engine import Engine
from labkit.records import PoolFrame, StepReport
from labkit.sequence import SamplingParams

__all__ = ["PoolLog"]


class PoolLog:
    """`log = PoolLog(engine)`; then `frames` and `reports`, until `close()`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reports: list[StepReport] = []
        with engine.lock:  # no step between the first frame and the observer
            self.frames = [PoolFrame(0, engine.block_views())]
            self._undo = engine.observe(self._note)

    def ask(self, messages: Sequence[Mapping[str, str]]) -> PoolFrame | None:
        """Queue a chat of the reader's for eight greedy tokens and run one step."""
        text = self.engine.template.render(messages)
        ids = self.engine.tokenizer.encode(text, allow_special=True)
        self.engine.add(ids, SamplingParams(max_tokens=8, temperature=0.0))
        return self.step()

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

    def close(self) -> None:
        """Stop recording."""
        self._undo()

    def _note(self, report: StepReport) -> None:
        self.reports.append(report)
        views = self.engine.block_views()
        self.frames.append(PoolFrame(len(self.frames), views, report.block_events))

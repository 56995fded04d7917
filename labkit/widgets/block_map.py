"""The block pool of an engine, step by step: owners, reference counts, hash chains.

It takes frames (records) and scrubs back and forth through them; `step` lets the page
move a live engine on by one step. What a chosen block held at that step is spelled out,
with its key norms where they were recorded. It never changes a block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import traitlets

from labkit.errors import ConfigError
from labkit.figures.blocks import SIGNS, BlockGrid, block_grid, chain_of, owners_of
from labkit.records import BlockView, PoolFrame
from labkit.widgets.base import LabWidget, Message

__all__ = ["BlockMap", "Norms", "Spell", "Step"]

Spell = Callable[[int], str]  # a token id to its visible text
Norms = Callable[[PoolFrame, int], Sequence[Sequence[float]]]  # [slots][layers]
Step = Callable[[], PoolFrame | None]  # None: the engine has nothing to do


class BlockMap(LabWidget, page="block_map", parts=("block_cells", "block_detail")):
    """`BlockMap(log.frames, spell=lab.tokenizer.label, norms=log.key_norms)`.

    `frame` is the place in the frames, `selected` a block or None; `grid` and `detail`
    are what is shown. `append` adds a frame and shows it if the last one was shown.
    """

    hurried = frozenset({"step"})  # waits for the engine, so it must not hold the lock
    num_frames = traitlets.Int(0).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)
    view: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    detail: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    signs: traitlets.List[Any] = traitlets.List().tag(sync=True)
    can_step = traitlets.Bool(False).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        frames: Sequence[PoolFrame],
        block_size: int = 16,
        spell: Spell = str,
        norms: Norms | None = None,
        step: Step | None = None,
        **unknown: object,
    ) -> None:
        if not frames:
            raise ConfigError("BlockMap(frames=[]): record at least one step")
        self._frames = list(frames)
        self._block_size = block_size
        self._spell, self._norms, self._step = spell, norms, step
        self._owners = owners_of(frames)
        super().__init__(
            unknown,
            num_frames=len(frames),
            frame=len(frames) - 1,
            signs=[list(pair) for pair in SIGNS.values()],
            can_step=step is not None,
        )
        self.observe(self._draw, ["frame"])
        self.observe(self._explain, ["selected"])
        self._draw()

    @property
    def grid(self) -> BlockGrid:
        """The frame that is shown."""
        return block_grid(self._frames[self.frame], self._owners, self._block_size)

    def record(self) -> BlockGrid:
        """The frame that is shown."""
        return self.grid

    def append(self, frame: PoolFrame) -> None:
        """Add a frame that came later than all others."""
        with self._lock:
            is_last = self.frame == len(self._frames) - 1
            self._frames.append(frame)
            self._owners = owners_of(self._frames)
            self.num_frames = len(self._frames)
            if is_last:
                self.frame = len(self._frames) - 1

    def handle(self, op: str, message: Message) -> None:
        """Handle `step`: run one engine step and show the blocks after it."""
        if op != "step" or self._step is None:
            return super().handle(op, message)
        found = self._step()
        with self._lock:
            if found is None:
                self.note = "The engine has nothing to do."
            else:
                self.append(found)
                self.frame = len(self._frames) - 1
        return None

    def at(self, frame: int) -> BlockMap:
        """Show the frame with this number; returns the map, for a cell's last line."""
        with self._lock:
            self.frame = frame
        return self

    @traitlets.validate("frame")
    def _is_frame(self, proposal: Any) -> int:
        last = len(self._frames) - 1
        if not 0 <= proposal["value"] <= last:
            raise traitlets.TraitError(f"frame={proposal['value']}: use 0 to {last}")
        return int(proposal["value"])

    @traitlets.validate("selected")
    def _is_block(self, proposal: Any) -> int | None:
        block, count = proposal["value"], len(self._frames[0].blocks)
        if block is not None and not 0 <= block < count:
            raise traitlets.TraitError(f"selected={block}: use 0 to {count - 1}")
        return None if block is None else int(block)

    def _draw(self, _: object = None) -> None:
        self.note = ""
        self.view = asdict(self.grid)
        self._explain()

    def _explain(self, _: object = None) -> None:
        """Spell out the chosen block at the step that is shown."""
        frame = self._frames[self.frame]
        if self.selected is None:
            self.detail = {}
            return
        view = frame.blocks[self.selected]
        before, after = chain_of(frame, view.block)
        rows = self._norms(frame, view.block) if self._norms else None
        self.detail = {
            "block": view.block,
            "words": self._words(view),
            "tokens": [self._spell(token_id) for token_id in view.token_ids],
            "norms": _heat(rows) if rows else None,
            "before": list(before),
            "after": list(after),
        }

    def _words(self, view: BlockView) -> str:
        size = self._block_size
        held = ", ".join(
            f"{self._owners[name].letter} ({name})" for name in view.owners
        )
        holders = "1 holder" if view.ref_count == 1 else f"{view.ref_count} holders"
        who = f"held by {held}" if held else "kept for reuse" if view.hash else "free"
        hashed = f"hash {view.hash[:8]}" if view.hash else "no hash yet"
        if view.hash and view.parent:
            hashed += f" after {view.parent[:8]}"
        return (
            f"Block {view.block}: {who}; {holders}; "
            f"{view.num_filled} of {size} slots filled; {hashed}; "
            f"last use no. {view.last_use}."
        )


def _heat(rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Key norms with their range; in each layer 0 is its smallest, 1 its largest."""
    layers = list(zip(*rows, strict=True))  # [layers][slots]
    every = [value for row in rows for value in row]
    shares = [_spread(layer) for layer in layers]
    return {
        "low": round(min(every), 2),
        "high": round(max(every), 2),
        "shares": shares,
    }


def _spread(layer: Sequence[float]) -> list[float]:
    low, high = min(layer), max(layer)
    return [round((value - low) / ((high - low) or 1.0), 3) for value in layer]

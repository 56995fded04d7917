"""The block pool of an engine, step by step: owners, reference counts, hash chains.

It takes frames (records) and scrubs or plays through them; a `Pool` lets the page move
a live engine on by one step and put the reader's own prompt into it. Every block shows
its tokens; what else a chosen one is gets spelled out. It never changes a block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import traitlets

from labkit.errors import ConfigError, LabError
from labkit.figures.blocks import WORDS, BlockGrid, block_grid, chain_of, owners_of
from labkit.records import BlockView, PoolFrame
from labkit.widgets.base import LabWidget, Message

__all__ = ["BlockMap", "Messages", "Pool", "Spell"]

Spell = Callable[[int], str]  # a token id to its visible text
Messages = Sequence[Mapping[str, str]]


class Pool(Protocol):
    """A live engine's pool, such as a `PoolLog`."""

    def step(self) -> PoolFrame | None:
        """One engine step; None: the engine has nothing to do."""

    def ask(self, messages: Messages) -> PoolFrame | None:
        """Queue a chat and run one step."""


class BlockMap(LabWidget, page="block_map", parts=("block_cells", "block_detail")):
    """`BlockMap(log.frames, 4, spell=lab.tokenizer.label, pool=log)`.

    `frame` is the place in the frames, `selected` a block or None; `grid` and `detail`
    are what is shown. `append` adds a frame and shows it if the last one was shown.
    """

    hurried = frozenset({"step"})  # waits for the engine, so it must not hold the lock
    num_frames = traitlets.Int(0).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)
    view: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    detail: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    words: traitlets.List[Any] = traitlets.List().tag(sync=True)
    can_step = traitlets.Bool(False).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        frames: Sequence[PoolFrame],
        block_size: int = 16,
        spell: Spell = str,
        pool: Pool | None = None,
        **unknown: object,
    ) -> None:
        if not frames:
            raise ConfigError("BlockMap(frames=[]): record at least one step")
        self._frames = list(frames)
        self._block_size = block_size
        self._spell, self._pool = spell, pool
        self._owners = owners_of(frames)
        super().__init__(
            unknown,
            num_frames=len(frames),
            frame=len(frames) - 1,
            words=[[w.mark, w.meaning] for w in WORDS.values()],
            can_step=pool is not None,
        )
        self.observe(self._draw, ["frame"])
        self.observe(self._explain, ["selected"])
        self._draw()

    @property
    def grid(self) -> BlockGrid:
        """The frame that is shown."""
        frame = self._frames[self.frame]
        return block_grid(frame, self._owners, self._block_size, self._spell)

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
        if op != "step" or self._pool is None:
            return super().handle(op, message)
        return self._go_on(self._pool.step)

    def ask(self, messages: Messages) -> None:
        """Put the reader's own prompt into the pool and show the step after it."""
        pool = self._pool
        if pool is None:
            raise ConfigError("this BlockMap shows a recording: give it a pool=")
        num_owners = len(self._owners)
        self._go_on(lambda: pool.ask(messages))
        with self._lock:
            if self.note:
                return  # it was refused
            if len(self._owners) == num_owners:
                self.note = "Your prompt waits for free blocks: run more engine steps."
            else:
                letter = list(self._owners.values())[-1].letter
                self.note = f"Your prompt is request {letter}; run more engine steps."

    def _go_on(self, step: Callable[[], PoolFrame | None]) -> None:
        """Show what `step` gives; a refusal becomes a note, never a traceback."""
        try:
            found = step()
        except LabError as error:
            self.note = f"{error}."
            return
        with self._lock:
            if found is None:
                self.note = "The engine has nothing to do."
            else:
                self.append(found)
                self.frame = len(self._frames) - 1

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
        self.detail = {
            "block": view.block,
            "words": self._words(view),
            "tokens": [self._spell(token_id) for token_id in view.token_ids],
            "before": list(before),
            "after": list(after),
        }

    def _words(self, view: BlockView) -> str:
        """The chosen block in sentences."""
        return " ".join(
            (
                f"Block {view.block} {self._state(view)}.",
                f"{view.num_filled} of its {self._block_size} slots are filled.",
                _hashed(view),
            )
        )

    def _state(self, view: BlockView) -> str:
        names = [f"{self._owners[n].letter} ({n})" for n in view.owners]
        if names:
            return f"is held by {' and '.join(names)}"
        kind = "is kept for reuse" if view.hash else "is free"
        if view.queue_place is None:
            return kind
        if view.queue_place == 0:
            return f"{kind}; it is the next to be handed out"
        return f"{kind}; {view.queue_place} others are handed out before it"


def _hashed(view: BlockView) -> str:
    if not view.hash:
        return "It has no hash, so it cannot be found."
    if not view.parent:
        return f"Its hash begins with {view.hash[:8]}; it is the first of its prompt."
    return f"Its hash begins with {view.hash[:8]} and contains {view.parent[:8]}."

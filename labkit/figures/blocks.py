"""One frame of the block pool as cells: owners, blocks kept for reuse, recent events.

Every owner has a letter as well as a colour, every event a word. It reads frames and
decides nothing about blocks; the letters hold for a whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.records import BlockEvent, BlockEventKind, BlockView, Layer, PoolFrame

__all__ = [
    "OWNER_LAYERS",
    "WORDS",
    "BlockCell",
    "BlockGrid",
    "EventWords",
    "Owner",
    "block_grid",
    "chain_of",
    "owners_of",
]

OWNER_LAYERS = (
    Layer.CACHE,
    Layer.NETWORK,
    Layer.STREAMING,
    Layer.SAMPLING,
    Layer.COMPUTE,
    Layer.SAFETY,
    Layer.CONTEXT,
    Layer.TOKENS,
)
State = Literal["free", "held", "kept"]


@dataclass(frozen=True, slots=True)
class EventWords:
    """One kind of event: the word inside a cell, the verb, and what it means."""

    mark: str
    verb: str
    meaning: str


WORDS = {
    BlockEventKind.TAKE: EventWords("new", "taken", "taken in this step"),
    BlockEventKind.HIT: EventWords("hit", "found by its hash", "found by its hash"),
    BlockEventKind.HASH: EventWords(
        "full", "full and hashed", "others can find it now"
    ),
    BlockEventKind.EVICT: EventWords(
        "evicted", "evicted", "its old tokens were given up"
    ),
    BlockEventKind.COPY: EventWords(
        "copy", "copied on write", "made because a shared block is not written"
    ),
    BlockEventKind.SHARE: EventWords("forked", "shared by a fork", "one more holder"),
    BlockEventKind.FREE: EventWords("let go", "released", "one holder fewer"),
}


@dataclass(frozen=True, slots=True)
class Owner:
    """A request as it is drawn: a letter, a colour, a pattern."""

    letter: str
    request: str
    layer: Layer
    pattern: int  # 0 to 3; owners differ in more than their colour


@dataclass(frozen=True, slots=True)
class BlockCell:
    """One block as it is drawn; `layers` and `patterns` are its owners', in order."""

    block: int
    state: State
    label: str  # letters of its owners
    layers: tuple[Layer, ...]
    patterns: tuple[int, ...]
    ref_count: int
    num_filled: int
    tokens: tuple[str, ...]  # of the filled slots, spelled out
    short_hash: str  # "" for a block that cannot be hit
    marks: tuple[str, ...]  # what happened to it in this step


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """The pool after one step."""

    title: str
    alt: str
    block_size: int
    cells: tuple[BlockCell, ...]
    owners: tuple[Owner, ...]  # requests that hold a block in this step
    copies: tuple[tuple[int, int], ...]  # copied on write in this step: (from, to)
    events: tuple[str, ...]  # what happened in this step, in words


def owners_of(frames: Iterable[PoolFrame]) -> dict[str, Owner]:
    """A letter for every request that ever held a block, in order of appearance."""
    found: dict[str, Owner] = {}
    for frame in frames:
        events = (e.request for e in frame.events if e.request is not None)
        held = (name for block in frame.blocks for name in block.owners)
        for name in (*events, *held):
            if name not in found:
                found[name] = _owner(name, len(found))
    return found


def _owner(request: str, index: int) -> Owner:
    turns, place = divmod(index, 26)
    letter = chr(ord("A") + place) + (str(turns + 1) if turns else "")
    layer = OWNER_LAYERS[index % len(OWNER_LAYERS)]
    return Owner(letter, request, layer, index % 4)


def block_grid(
    frame: PoolFrame,
    owners: Mapping[str, Owner],
    block_size: int,
    spell: Callable[[int], str] = str,
) -> BlockGrid:
    """The drawing of one frame; `spell` makes a token id readable."""
    cells = tuple(_cell(view, frame.events, owners, spell) for view in frame.blocks)
    now = {name for view in frame.blocks for name in view.owners}
    count = {s: sum(c.state == s for c in cells) for s in ("held", "kept", "free")}
    shared = sum(cell.ref_count > 1 for cell in cells)
    events = tuple(_sentences(frame.events, owners))
    return BlockGrid(
        title=f"Step {frame.step}: {count['held']} of {len(cells)} blocks held, "
        f"{count['kept']} kept for reuse, {count['free']} free",
        alt=" ".join((_sharing(shared), *events)),
        block_size=block_size,
        cells=cells,
        owners=tuple(owner for name, owner in owners.items() if name in now),
        copies=tuple((e.source, e.block) for e in frame.events if e.source is not None),
        events=events,
    )


def _sharing(count: int) -> str:
    if count == 0:
        return "No block is shared."
    return f"{count} blocks are shared." if count > 1 else "1 block is shared."


def _cell(
    view: BlockView,
    events: Sequence[BlockEvent],
    owners: Mapping[str, Owner],
    spell: Callable[[int], str],
) -> BlockCell:
    own = [owners[name] for name in view.owners]
    state: State = "held" if view.ref_count else "kept" if view.hash else "free"
    kinds = dict.fromkeys(e.kind for e in events if e.block == view.block)
    return BlockCell(
        block=view.block,
        state=state,
        label="+".join(owner.letter for owner in own),
        layers=tuple(owner.layer for owner in own),
        patterns=tuple(owner.pattern for owner in own),
        ref_count=view.ref_count,
        num_filled=view.num_filled,
        tokens=tuple(spell(token_id) for token_id in view.token_ids),
        short_hash=(view.hash or "")[:4],
        marks=_marks(kinds),
    )


def _marks(kinds: Collection[BlockEventKind]) -> tuple[str, ...]:
    """Words for a cell; that an evicted block is taken goes without saying."""
    is_evicted = BlockEventKind.EVICT in kinds
    told = (k for k in kinds if not (is_evicted and k is BlockEventKind.TAKE))
    return tuple(WORDS[kind].mark for kind in told)


def _sentences(
    events: Sequence[BlockEvent], owners: Mapping[str, Owner]
) -> Iterable[str]:
    """Events of one kind and request together, in words."""
    groups: dict[tuple[BlockEventKind, str | None], list[BlockEvent]] = {}
    for event in events:
        groups.setdefault((event.kind, event.request), []).append(event)
    for (kind, request), several in groups.items():
        blocks = _listed([event.block for event in several])
        sources = [e.source for e in several if e.source is not None]
        tail = f" from {_listed(sources).lower()}" if sources else ""
        owner = None if request is None else owners.get(request)
        link = "by" if kind is BlockEventKind.FREE else "for"
        who = "" if owner is None else f" {link} {owner.letter}"
        is_one = len(several) == 1
        yield f"{blocks} {'was' if is_one else 'were'} {WORDS[kind].verb}{tail}{who}."


def _listed(blocks: Sequence[int]) -> str:
    if len(blocks) == 1:
        return f"Block {blocks[0]}"
    shown = ", ".join(map(str, blocks[:8]))
    return f"Blocks {shown}{' …' if len(blocks) > 8 else ''}"


def chain_of(frame: PoolFrame, block: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks before `block` in its hash chain, nearest first, and those right after."""
    by_hash = {v.hash: v.block for v in reversed(frame.blocks) if v.hash is not None}
    views = {view.block: view for view in frame.blocks}
    before: list[int] = []
    parent = views[block].parent
    while parent in by_hash and by_hash[parent] not in (block, *before):
        before.append(by_hash[parent])
        parent = views[before[-1]].parent
    own = views[block].hash
    after = [v.block for v in frame.blocks if own is not None and v.parent == own]
    return tuple(before), tuple(after)

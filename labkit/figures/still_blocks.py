"""Still of the block pool: a cell a block, its owners' letters, what just happened.

A held block has a solid edge, one kept for reuse a dashed one, a free one none; the bar
at the foot of a cell shows how many of its slots are filled. A dashed line leads from a
block to the copy that was made of it in this step.
"""

from __future__ import annotations

from labkit.figures.blocks import SIGNS, BlockCell, BlockGrid
from labkit.figures.svg import Canvas, measure, number, wrap
from labkit.records import Layer

__all__ = ["draw_blocks"]

WIDTH = 860
EDGE = 16.0
COLUMNS = 12
CELL, GAP = 62.0, 7.0
MAX_LINES = 4  # of words


def draw_blocks(drawing: BlockGrid) -> str:
    """The cells, the owners, then the step's events in words."""
    num_rows = -(-len(drawing.cells) // COLUMNS)
    foot = 44 + num_rows * (CELL + GAP) + 14
    lines = wrap(" ".join(drawing.events), WIDTH - 2 * EDGE)[:MAX_LINES]
    canvas = Canvas(
        WIDTH, round(foot + 44 + 17 * len(lines)), drawing.title, drawing.alt
    )
    canvas.head()
    for i, cell in enumerate(drawing.cells):
        _cell(canvas, cell, _corner(i), drawing.block_size)
    for source, own in drawing.copies:
        _copy(canvas, _corner(source), _corner(own))
    _legend(canvas, drawing, foot)
    for i, line in enumerate(lines):
        canvas.text((EDGE, foot + 44 + 17 * i), line, colour="mut")
    return canvas.done()


def _corner(index: int) -> tuple[float, float]:
    row, column = divmod(index, COLUMNS)
    return EDGE + column * (CELL + GAP), 44 + row * (CELL + GAP)


def _copy(
    canvas: Canvas, source: tuple[float, float], own: tuple[float, float]
) -> None:
    """From the head of one block to that of another, through the gaps between."""
    (x1, y1), (x2, y2), half = source, own, GAP / 2
    lane = x2 - half if y1 != y2 else x2 + CELL / 2
    turns = f"V{number(y1 - half)}H{number(lane)}V{number(y2 - half)}"
    data = f"M{number(x1 + CELL / 2)} {number(y1 + 3)}{turns}H{number(x2 + CELL / 2)}"
    canvas.path(f"{data}V{number(y2 + 3)}", Layer.GATEWAY, width=2, dash="5 4")
    canvas.dot(x2 + CELL / 2, y2 + 3, 4, Layer.GATEWAY)


def _cell(
    canvas: Canvas, cell: BlockCell, at: tuple[float, float], block_size: int
) -> None:
    x, y = at
    edge = cell.layers[0] if cell.layers else "grid"
    canvas.rect((x, y, CELL, CELL), "soft", radius=4)
    if cell.state != "free":
        data = f"M{number(x)} {number(y)}h{CELL:g}v{CELL:g}h-{CELL:g}z"
        dash = "4 3" if cell.state == "kept" else None
        canvas.path(data, "mut" if dash else edge, width=1.5, dash=dash)
    canvas.text((x + 5, y + 13), str(cell.block), colour="mut", px=10)
    canvas.text((x + CELL - 5, y + 13), cell.signs, anchor="end", px=11, face="bold")
    words = cell.label.replace("+", "") or ("kept" if cell.state == "kept" else "")
    if cell.ref_count > 1:
        words = f"{words} ×{cell.ref_count}"
    canvas.text((x + CELL / 2, y + 33), words[:9], anchor="middle", face="bold")
    hash_at = (x + CELL / 2, y + 47)
    canvas.text(
        hash_at, cell.short_hash, colour="mut", anchor="middle", px=10, face="mono"
    )
    wide = (CELL - 8) * cell.num_filled / block_size
    colours = cell.layers or ("mut",)
    for i, colour in enumerate(colours if wide else ()):
        part = wide / len(colours)
        canvas.rect((x + 4 + i * part, y + CELL - 9, part, 5), colour)


def _legend(canvas: Canvas, drawing: BlockGrid, y: float) -> None:
    x = EDGE
    for owner in drawing.owners:
        words = f"{owner.letter} {owner.request}"
        canvas.dot(x + 5, y - 4, 5, owner.layer)
        canvas.text((x + 15, y), words)
        x += measure(words) + 34
    used = {sign for cell in drawing.cells for sign in cell.signs}
    told = [f"{sign} {word}" for sign, word in SIGNS.values() if sign in used]
    if any(cell.state == "kept" for cell in drawing.cells):
        told.append("dashed edge: kept for reuse")
    if drawing.copies:
        told.append("dashed line: copied to")
    canvas.text((EDGE, y + 20), "   ".join(told), colour="mut", px=11)

"""Still of the block pool: a cell a block, its owners' letters, what just happened.

A held block has a solid edge, one kept for reuse a dashed one, a free one none; inside
a block are its tokens, and at its foot what happened to it in this step. A dashed line
leads from a block to the copy that was made of it in this step.
"""

from __future__ import annotations

from labkit.figures.blocks import WORDS, BlockCell, BlockGrid
from labkit.figures.svg import Canvas, measure, number, wrap
from labkit.records import Layer

__all__ = ["draw_blocks"]

WIDTH = 860
EDGE = 16.0
COLUMNS = 12
CELL, HIGH, GAP = 62.0, 80.0, 7.0
MAX_LINES = 4  # of words, and of tokens in a cell
TOKEN_PX = 8.5


def draw_blocks(drawing: BlockGrid) -> str:
    """The cells, the owners, then the step's events in words."""
    num_rows = -(-len(drawing.cells) // COLUMNS)
    foot = 44 + num_rows * (HIGH + GAP) + 14
    lines = wrap(" ".join(drawing.events), WIDTH - 2 * EDGE)[:MAX_LINES]
    told = wrap(_told(drawing), WIDTH - 2 * EDGE, 11)
    words_at = foot + 22 + 15 * len(told)
    height = round(words_at + 17 * len(lines))
    canvas = Canvas(WIDTH, height, drawing.title, drawing.alt)
    canvas.head()
    for i, cell in enumerate(drawing.cells):
        _cell(canvas, cell, _corner(i))
    for source, own in drawing.copies:
        _copy(canvas, _corner(source), _corner(own))
    _owners(canvas, drawing, foot)
    for i, line in enumerate(told):
        canvas.text((EDGE, foot + 20 + 15 * i), line, colour="mut", px=11)
    for i, line in enumerate(lines):
        canvas.text((EDGE, words_at + 17 * i), line, colour="mut")
    return canvas.done()


def _corner(index: int) -> tuple[float, float]:
    row, column = divmod(index, COLUMNS)
    return EDGE + column * (CELL + GAP), 44 + row * (HIGH + GAP)


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


def _cell(canvas: Canvas, cell: BlockCell, at: tuple[float, float]) -> None:
    x, y = at
    edge = cell.layers[0] if cell.layers else "grid"
    canvas.rect((x, y, CELL, HIGH), "soft", radius=4)
    if cell.state != "free":
        data = f"M{number(x)} {number(y)}h{CELL:g}v{HIGH:g}h-{CELL:g}z"
        dash = "4 3" if cell.state == "kept" else None
        canvas.path(data, "mut" if dash else edge, width=1.5, dash=dash)
    canvas.text((x + 5, y + 13), str(cell.block), colour="mut", px=10)
    words = cell.label.replace("+", "") or ("kept" if cell.state == "kept" else "")
    if cell.ref_count > 1:
        words = f"{words} ×{cell.ref_count}"
    canvas.text((x + CELL - 5, y + 13), words[:8], anchor="end", px=10, face="bold")
    for i, line in enumerate(_flowed(cell.tokens)):
        at_line = (x + 5, y + 27 + 12 * i)
        canvas.text(at_line, line, px=TOKEN_PX, face="mono")
    marks = (x + CELL / 2, y + HIGH - 4)
    canvas.text(marks, ", ".join(cell.marks), colour="mut", anchor="middle", px=9)


def _flowed(tokens: tuple[str, ...]) -> list[str]:
    """Tokens in lines that fit into a cell; those that do not are an ellipsis."""
    room = int((CELL - 8) / (TOKEN_PX * 0.6))
    lines: list[str] = []
    for token in tokens:
        short = token if len(token) <= room else f"{token[: room - 1]}…"
        if lines and len(lines[-1]) + 1 + len(short) <= room:
            lines[-1] += f" {short}"
        else:
            lines.append(short)
    cut = lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        cut[-1] = f"{cut[-1][: room - 1]}…"
    return cut


def _owners(canvas: Canvas, drawing: BlockGrid, y: float) -> None:
    x = EDGE
    for owner in drawing.owners:
        words = f"{owner.letter} {owner.request}"
        canvas.dot(x + 5, y - 4, 5, owner.layer)
        canvas.text((x + 15, y), words)
        x += measure(words) + 34


def _told(drawing: BlockGrid) -> str:
    """What the edges, lines and words of this frame mean."""
    used = {mark for cell in drawing.cells for mark in cell.marks}
    told = ["dashed line: copied to"] if drawing.copies else []
    if any(cell.state == "kept" for cell in drawing.cells):
        told.append("dashed edge: kept for reuse")
    told += [f"{w.mark}: {w.meaning}" for w in WORDS.values() if w.mark in used]
    return "; ".join(told)

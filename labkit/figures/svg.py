"""A small SVG canvas: the same calls give the same bytes, on any machine.

Colours are attributes, so that a sanitizer that drops `style=` leaves them alone; one
media query restyles them for dark pages; the card paints its own background. Numbers
have at most one decimal. It refuses what it cannot keep stable: ids, scripts, links.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Literal

from labkit.figures.palette import DARK, INK_DARK, INK_LIGHT, LIGHT
from labkit.records import Layer

__all__ = ["Canvas", "Face", "Rect", "label", "measure", "number", "ticks", "wrap"]

FONT = "system-ui, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', 'Noto Sans Mono', monospace"
FACES = {"plain": "", "bold": ' font-weight="600"', "mono": f' font-family="{MONO}"'}
Face = Literal["plain", "bold", "mono"]
Rect = tuple[float, float, float, float]  # x, y, width, height

_LIGHT: dict[str, str] = {**INK_LIGHT, **{str(k): v for k, v in LIGHT.items()}}
_DARK: dict[str, str] = {**INK_DARK, **{str(k): v for k, v in DARK.items()}}


def number(value: float) -> str:
    """At most one decimal, no trailing zero, no minus zero."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def label(value: float) -> str:
    """A tick's text: up to six digits and a real minus sign."""
    return f"{value:,.6g}".replace("-", "\u2212")


def measure(text: str, px: float = 12) -> float:
    """Estimated width: 0.56 em a letter, 1 em from CJK on (viewers' fonts differ)."""
    return sum(1.0 if ord(char) > 0x2E80 else 0.56 for char in text) * px


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values from `low` to `high`, about `count` of them."""
    raw = ((high - low) or 1) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def wrap(text: str, width: float, px: float = 12) -> list[str]:
    """`text` in lines of at most `width`, broken at blanks."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and measure(longer, px) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


class Canvas:
    """Collects shapes; `done()` gives the SVG. A colour is an ink or a layer."""

    def __init__(self, width: int, height: int, title: str, alt: str) -> None:
        self.width, self.height = width, height
        self._title, self._alt = title, alt
        self._shapes: list[str] = []
        self._fills: set[str] = set()
        self._strokes: set[str] = set()
        self.rect((0, 0, width, height), "bg")

    def rect(
        self,
        at: Rect,
        colour: str | Layer,
        *,
        radius: float = 0,
        edge: str | Layer | None = None,
        opacity: float | None = None,
    ) -> None:
        """A filled rectangle, its edge in another colour if given."""
        x, y, width, height = (number(v) for v in at)
        extra = f' rx="{number(radius)}"' if radius else ""
        extra += f' fill-opacity="{opacity:g}"' if opacity is not None else ""
        classes = [self._fill(colour)]
        if edge is not None:
            extra += f' stroke="{_LIGHT[str(edge)]}"'
            classes.append(self._stroke(edge))
        self._shapes.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" '
            f'fill="{_LIGHT[str(colour)]}" class="{" ".join(classes)}"{extra}/>'
        )

    def path(
        self,
        data: str,
        colour: str | Layer,
        *,
        width: float = 1,
        dash: str | None = None,
    ) -> None:
        """A line without a fill; `data` is SVG path data, see `number()`."""
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self._shapes.append(
            f'<path d="{data}" fill="none" stroke="{_LIGHT[str(colour)]}" '
            f'stroke-width="{number(width)}" class="{self._stroke(colour)}"{extra}/>'
        )

    def dot(self, x: float, y: float, radius: float, colour: str | Layer) -> None:
        """A filled circle."""
        self._shapes.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" '
            f'fill="{_LIGHT[str(colour)]}" class="{self._fill(colour)}"/>'
        )

    def text(
        self,
        at: tuple[float, float],
        words: str,
        *,
        colour: str | Layer = "fg",
        anchor: str = "start",
        px: float = 12,
        face: Face = "plain",
    ) -> None:
        """Words on a baseline; blanks are kept."""
        extra = FACES[face]
        self._shapes.append(
            f'<text x="{number(at[0])}" y="{number(at[1])}" text-anchor="{anchor}" '
            f'font-size="{number(px)}" fill="{_LIGHT[str(colour)]}" '
            f'class="{self._fill(colour)}" xml:space="preserve"{extra}>'
            f"{escape(_visible(words), quote=False)}</text>"
        )

    def polyline(
        self,
        points: Sequence[tuple[float, float]],
        colour: str | Layer,
        width: float = 2,
    ) -> None:
        """Straight lines through `points`."""
        data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
        self.path(data, colour, width=width)

    def head(self) -> None:
        """The title in bold at the top left."""
        self.text((16, 26), self._title, px=15, face="bold")

    def done(self) -> str:
        """The whole SVG, without a final newline."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" '
            f'height="{self.height}" viewBox="0 0 {self.width} {self.height}" '
            f'role="img" font-family="{FONT}"><title>{escape(self._title)}</title>'
            f"<desc>{escape(self._alt)}</desc>{self._style()}"
            f"{''.join(self._shapes)}</svg>"
        )

    def _fill(self, colour: str | Layer) -> str:
        self._fills.add(str(colour))
        return f"f-{colour}"

    def _stroke(self, colour: str | Layer) -> str:
        self._strokes.add(str(colour))
        return f"s-{colour}"

    def _style(self) -> str:
        """Dark values of the colours used, in order of name."""
        fills = (f".f-{c}{{fill:{_DARK[c]}}}" for c in sorted(self._fills))
        lines = (f".s-{c}{{stroke:{_DARK[c]}}}" for c in sorted(self._strokes))
        rules = "".join([*fills, *lines])
        return f"<style>@media(prefers-color-scheme:dark){{{rules}}}</style>"


def _visible(words: str) -> str:
    """`words` with U+FFFD for each character that XML 1.0 cannot hold."""
    return "".join(char if _is_xml(char) else "\ufffd" for char in words)


def _is_xml(char: str) -> bool:
    is_noncharacter = "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff"
    return char >= " " and not is_noncharacter

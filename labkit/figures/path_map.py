"""The book's map: the path of the request, a stop a chapter, as links.

It is HTML with the same in Markdown and in words, so that a page shows the best that it
can. Whether a stop has a notebook is told to it; a stop without one is no link and says
that it is not written yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Final

from labkit.figures.palette import NAMES, css_variables
from labkit.records import Layer

__all__ = ["QUESTIONS", "Stop", "as_html", "as_markdown", "as_text", "layer_stop"]

QUESTIONS: Mapping[Layer, str] = MappingProxyType(
    {
        Layer.CLIENT: "What happens between a key press and the request?",
        Layer.NETWORK: "How do bytes become events again?",
        Layer.GATEWAY: "Who may ask, how often, and who says no?",
        Layer.SAFETY: "What can be stopped, and what cannot?",
        Layer.CONTEXT: "What does the model get to read?",
        Layer.TOKENS: "What are tokens?",
        Layer.CACHE: "What is remembered between tokens, and where?",
        Layer.COMPUTE: "Why is the first token slow and the next one not?",
        Layer.SAMPLING: "How is one token chosen?",
        Layer.STREAMING: "How does an answer reach the screen while it is written?",
        Layer.TOOLS: "How does a model act?",
        Layer.BILLING: "What did it cost, and who saw it?",
    }
)
NOT_WRITTEN: Final = "not written yet"
_LAST_DOWN: Final = Layer.COMPUTE.chapter
_LANES: Final = (
    "↓ Down: from the key press to the model",
    "↑ Up: from the model to the screen, and what comes after",
    "Beside the path",
)
_STYLE: Final = """\
.lab-path ul { display: grid; gap: 6px; list-style: none; margin: 0 0 10px !important;
  padding: 0 !important; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); }
.lab-path li { border: 1px solid #8887; border-left: 6px solid var(--layer, #888);
  border-radius: 4px; margin: 0; padding: 4px 10px; }
.lab-path li.todo { border-style: dashed; border-left-style: solid; }
.lab-path li > * { display: block; }
.lab-path a { font-weight: 600; text-decoration: underline; }
.lab-path p { margin: 0 0 4px; }"""


@dataclass(frozen=True, slots=True)
class Stop:
    """A chapter or an appendix on the map."""

    name: str  # what the link says, such as `7 · Cache`
    question: str  # what it answers; an appendix has its title here
    layer: Layer | None  # None: an appendix
    notebook: str | None = None  # its file beside the index; None: not written yet
    minutes: int | None = None
    done: str = ""  # what the reader has done of it, in words

    @property
    def state(self) -> str:
        """Minutes and what is done, or that there is nothing to open yet."""
        if self.notebook is None:
            return NOT_WRITTEN
        time = f"{self.minutes} minutes" if self.minutes else ""
        return " · ".join(filter(None, (time, self.done)))


def layer_stop(
    layer: Layer, notebook: str | None, minutes: int | None, done: str = ""
) -> Stop:
    """The stop of a layer's chapter."""
    name = f"{layer.chapter} · {NAMES[layer]}"
    return Stop(name, QUESTIONS[layer], layer, notebook, minutes, done)


def as_html(stops: Iterable[Stop]) -> str:
    """Three rows of boxes in the layers' colours; those that are written are links."""
    rows = [
        f"<p>{lane}</p>\n<ul>\n{''.join(map(_box, found))}</ul>\n"
        for lane, found in _lanes(stops)
    ]
    style = f"<style>\n{css_variables()}\n{_STYLE}\n</style>"
    nav = '<nav class="lab lab-path" aria-label="The path of the request">'
    return f"{nav}\n{style}\n{''.join(rows)}</nav>"


def as_markdown(stops: Iterable[Stop]) -> str:
    """The same as a table."""
    head = "| chapter | it answers | |\n|:--|:--|:--|\n"
    rows = [
        f"| {f'[{s.name}]({s.notebook})' if s.notebook else s.name} "
        f"| {s.question} | {s.state} |\n"
        for s in stops
    ]
    return head + "".join(rows)


def as_text(stops: Iterable[Stop]) -> str:
    """The same, a line a stop."""
    return "\n".join(f"{s.name}: {s.question} ({s.state})" for s in stops)


def _lanes(stops: Iterable[Stop]) -> list[tuple[str, Sequence[Stop]]]:
    """The stops on the way down, on the way up, and the appendices; no empty lane."""
    found: tuple[list[Stop], ...] = ([], [], [])
    for stop in stops:
        is_up = stop.layer is not None and stop.layer.chapter > _LAST_DOWN
        found[2 if stop.layer is None else int(is_up)].append(stop)
    return [pair for pair in zip(_LANES, found, strict=True) if pair[1]]


def _box(stop: Stop) -> str:
    name, state = escape(stop.name), escape(stop.state)
    question = f"<span>{escape(stop.question)}</span>"
    layer = f' data-layer="{stop.layer}"' if stop.layer else ""
    title = f"<b>{name}</b>"
    if stop.notebook:
        title = f'<a href="{escape(stop.notebook)}">{name}</a>'
    kind = "" if stop.notebook else ' class="todo"'
    return f"<li{kind}{layer}>{title} {question} <small>{state}</small></li>\n"

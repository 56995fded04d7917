"""One logit vector, the same knobs, the orders of several engines.

It takes a source whose `compare(knobs)` gives one view per engine, with its distance to
all the others. It runs nothing itself. The distance of two engines is the total
variation between their distributions: the probability that would have to move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import traitlets

from labkit.config import reject_unknown
from labkit.figures.drawings import Table
from labkit.records import OrderView
from labkit.widgets.base import LabWidget
from labkit.widgets.prompts import Messages, about

__all__ = ["KNOBS", "OrderCompare", "OrderSource", "title_of"]

KNOBS = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
TITLES = {
    "vllm": "vLLM",
    "transformers": "transformers",
    "llama_cpp": "llama.cpp",
    "sglang": "SGLang",
}
NUM_SHOWN = 6  # tokens with bars of their own; one more bar has all the others


class OrderSource(Protocol):
    """The interface of a source that runs the orders."""

    def compare(self, knobs: Mapping[str, float]) -> Sequence[OrderView]:
        """One view per engine, with distances to the engines in the same order."""

    def asked(self, messages: Messages) -> OrderSource:
        """The same for the token that would come next after `messages`."""


class OrderCompare(LabWidget, page="order_compare", parts=("order_bars",)):
    """`OrderCompare(Bench.at(engine, ids), tokenizer.label, temperature=2.0)`."""

    knobs: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        source: OrderSource,
        label: Callable[[int], str] = str,
        **knobs: float,
    ) -> None:
        reject_unknown(knobs, KNOBS, "OrderCompare")
        self._source = source
        self._label = label
        self._num_runs = 0
        self._about = ""  # the prompt that was asked, for the title
        self.views: tuple[OrderView, ...] = ()
        super().__init__({}, knobs={**KNOBS, **knobs})
        self.observe(self._run, ["knobs"])
        self._run()

    def turn(self, **knobs: float) -> Table:
        """Set knobs as the sliders do, and return the new drawing."""
        with self._lock:
            self.knobs = {**self.knobs, **knobs}
        return self.record()

    def record(self) -> Table:
        """One row per engine: order, remaining candidates, entropy, distances."""
        rows = [
            (
                title_of(view.name),
                f"{view.kept:,}",
                f"{view.entropy:.3f}",
                self._label(view.top[0][0]),
                *(f"{distance:.3f}" for distance in view.distances),
            )
            for view in self.views
        ]
        to = (f"distance to {title_of(view.name)}" for view in self.views)
        head = ("engine", "survivors", "entropy, nats", "best", *to)
        return Table(self._words(), self._alt(), head, tuple(rows))

    def ask(self, messages: Messages) -> None:
        """Compare on the vector that these messages give; the knobs stay."""
        source = self._source.asked(messages)  # runs the model: not under the lock
        with self._lock:
            self._source = source
            self._about = about(messages)
            self._run()

    @traitlets.validate("knobs")
    def _are_knobs(self, proposal: Any) -> dict[str, float]:
        reject_unknown(proposal["value"], KNOBS, type(self).__name__)
        return {**KNOBS, **proposal["value"]}

    def _run(self, _: object = None) -> None:
        self.views = tuple(self._source.compare(dict(self.knobs)))
        self._num_runs += 1
        words = {"title": self._words(), "alt": self._alt(), "tick": self._num_runs}
        shown = self._shown()
        tokens = [*(self._label(i) for i in shown), "all others"]
        views = [_to_page(view, shown) for view in self.views]
        self.result = {**words, "tokens": tokens, "views": views}

    def _shown(self) -> list[int]:
        """The tokens with bars: the likeliest ones, whichever engine has them so."""
        most: dict[int, float] = {}
        for view in self.views:
            for token_id, p in view.top:
                most[token_id] = max(p, most.get(token_id, 0.0))
        return sorted(most, key=lambda i: -most[i])[:NUM_SHOWN]

    def _words(self) -> str:
        pairs = [(max(v.distances), v) for v in self.views]
        farthest, view = max(pairs, key=lambda pair: pair[0])
        if farthest < 0.0005:
            return f"{self._about}All engines give the same distribution"
        other = self.views[view.distances.index(farthest)]
        names = f"{title_of(view.name)} to {title_of(other.name)}"
        apart = f"{100 * farthest:.1f} % of the probability would have to move"
        return f"{self._about}From {names}, {apart}"

    def _alt(self) -> str:
        set_to = ", ".join(f"{name} {value:g}" for name, value in self.knobs.items())
        kept = "; ".join(f"{title_of(v.name)} keeps {v.kept:,}" for v in self.views)
        return f"With {set_to} (a top_k of 0 is off): {kept}."


def title_of(engine: str) -> str:
    """How an engine writes its own name: "vllm" is vLLM."""
    return TITLES.get(engine, engine)


def _to_page(view: OrderView, shown: Sequence[int]) -> dict[str, Any]:
    """One engine's stages, numbers and bars; None where a probability is not known."""
    top = dict(view.top)
    is_whole = view.kept <= len(top)  # then a token that is not listed has none
    bars = [top.get(i, 0.0 if is_whole else None) for i in shown]
    rest = None if None in bars else max(0.0, 1.0 - sum(p or 0.0 for p in bars))
    return {
        "name": view.name,
        "title": title_of(view.name),
        "stages": [s for s in view.stages if not KNOBS.keys().isdisjoint(s.split("+"))],
        "kept": view.kept,
        "entropy": round(view.entropy, 4),
        "bars": [None if p is None else round(p, 6) for p in (*bars, rest)],
        "distances": list(view.distances),
    }

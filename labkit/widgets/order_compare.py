"""One logit vector, the same knobs, the orders of several engines.

It takes a source with one method, `compare(knobs)`, which gives a view an engine with
its distance to all the others. It runs nothing itself. The distance of two engines is
the total variation between their distributions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import traitlets

from labkit.config import reject_unknown
from labkit.figures.drawings import Table
from labkit.records import OrderView
from labkit.widgets.base import LabWidget

__all__ = ["KNOBS", "OrderCompare", "OrderSource", "title_of"]

KNOBS = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
TITLES = {
    "vllm": "vLLM",
    "transformers": "transformers",
    "llama_cpp": "llama.cpp",
    "sglang": "SGLang",
}


class OrderSource(Protocol):
    """The interface of a source that runs the orders."""

    def compare(self, knobs: Mapping[str, float]) -> Sequence[OrderView]:
        """One view an engine, all with distances to the engines in the same order."""


class OrderCompare(LabWidget, page="order_compare"):
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

    @traitlets.validate("knobs")
    def _are_knobs(self, proposal: Any) -> dict[str, float]:
        reject_unknown(proposal["value"], KNOBS, type(self).__name__)
        return {**KNOBS, **proposal["value"]}

    def _run(self, _: object = None) -> None:
        self.views = tuple(self._source.compare(dict(self.knobs)))
        self._num_runs += 1
        views = [
            {
                **asdict(view),
                "title": title_of(view.name),
                "top": [(self._label(i), round(p, 6)) for i, p in view.top],
            }
            for view in self.views
        ]
        words = {"title": self._words(), "alt": self._alt(), "tick": self._num_runs}
        self.result = {**words, "views": views}

    def _words(self) -> str:
        pairs = [(max(v.distances), v) for v in self.views]
        farthest, view = max(pairs, key=lambda pair: pair[0])
        if farthest < 0.0005:
            return "All engines give the same distribution"
        other = self.views[view.distances.index(farthest)]
        names = f"{title_of(view.name)} and {title_of(other.name)}"
        return f"{names} disagree about {100 * farthest:.1f} % of the mass"

    def _alt(self) -> str:
        set_to = ", ".join(f"{name} {value:g}" for name, value in self.knobs.items())
        kept = "; ".join(f"{title_of(v.name)} keeps {v.kept:,}" for v in self.views)
        return f"With {set_to} (a top_k of 0 is off): {kept}."


def title_of(engine: str) -> str:
    """How an engine writes its own name: "vllm" is vLLM."""
    return TITLES.get(engine, engine)

"""The sampling stages one by one: change a knob or the order, see what each one did.

It takes a source with one method, `run(knobs, order)`, which gives a view a stage; the
noise of the draw stays the same until you change the seed, so that any change is the
knob's. It refuses knobs and stages that it does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import traitlets

from labkit.config import reject_unknown
from labkit.figures.drawings import Table
from labkit.records import StageView
from labkit.widgets.base import LabWidget
from labkit.widgets.prompts import Messages, about

__all__ = ["COUNTING", "KNOBS", "STAGES", "SamplingBench", "StageSource"]

KNOBS = {  # values that change nothing; a top_k of 0 keeps everything
    "repetition_penalty": 1.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "seed": 0,
}
COUNTING = ("frequency_penalty", "presence_penalty")  # what is written, no prompt
STAGES = tuple(
    name.removesuffix("_p") if name == "typical_p" else name for name in KNOBS
)[:-1]
NOTHING_YET = "nothing written yet"


class StageSource(Protocol):
    """The interface of a source that runs the stages."""

    @property
    def num_written(self) -> int:
        """Tokens of output that stand before the one to be drawn."""

    def run(
        self, knobs: Mapping[str, float], order: Sequence[str]
    ) -> Sequence[StageView]:
        """First the model's distribution, then each stage of `order`, then the draw."""

    def asked(self, messages: Messages) -> StageSource:
        """The same for the first token of the answer to `messages`."""


class SamplingBench(
    LabWidget, page="sampling_bench", parts=("bench_stages", "bench_top")
):
    """`SamplingBench(Bench.at(engine, ids), tokenizer.label, temperature=0.8)`.

    `order` is the stages' order, `views` what each of them did; sliders change the
    knobs, and a stage is moved by dragging or with the arrow keys on its handle.
    """

    knobs: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    order: traitlets.List[Any] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    neutral: traitlets.Dict[str, Any] = traitlets.Dict(KNOBS).tag(sync=True)
    presets: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    idle: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)  # stage: why
    result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        source: StageSource,
        label: Callable[[int], str] = str,
        presets: Mapping[str, Sequence[str]] | None = None,
        **knobs: float,
    ) -> None:
        self._source = source
        self._label = label
        self._num_runs = 0
        self._about = ""  # the prompt that was asked, for the title
        self.views: tuple[StageView, ...] = ()
        reject_unknown(knobs, KNOBS, "SamplingBench")
        super().__init__(
            {},
            knobs={**KNOBS, **knobs},
            order=list(STAGES),
            presets={name: list(stages) for name, stages in (presets or {}).items()},
            idle=_idle(source),
        )
        self.observe(self._run, ["knobs", "order"])
        self._run()

    @property
    def picked(self) -> int:
        """The token that the draw gives."""
        return self.views[-1].top[0][0]

    def turn(self, **knobs: float) -> Table:
        """Set knobs as the sliders do, and return the new drawing."""
        with self._lock:
            self.knobs = {**self.knobs, **knobs}
        return self.record()

    def ask(self, messages: Messages) -> None:
        """Work on the first token of the answer to `messages`; the knobs stay."""
        source = self._source.asked(messages)  # runs the model: not under the lock
        with self._lock:
            self._source = source
            self._about = about(messages)
            self.idle = _idle(source)
            self._run()

    def record(self) -> Table:
        """One row per stage: candidates, what it moved, entropy, the likeliest."""
        rows = [
            (
                view.name,
                self._setting(view.name),
                f"{view.kept:,}",
                f"{view.moved:.4f}",
                f"{view.entropy:.3f}",
                self._label(view.top[0][0]),
            )
            for view in self.views
        ]
        head = (
            "stage",
            "knob",
            "survivors",
            "probability moved",
            "entropy, nats",
            "best",
        )
        return Table(self._title(), self._alt(), head, tuple(rows))

    @traitlets.validate("knobs")
    def _are_knobs(self, proposal: Any) -> dict[str, float]:
        reject_unknown(proposal["value"], KNOBS, type(self).__name__)
        return {**KNOBS, **proposal["value"]}

    @traitlets.validate("order")
    def _is_order(self, proposal: Any) -> list[str]:
        order = list(proposal["value"])
        reject_unknown(order, STAGES, f"{type(self).__name__}.order")
        if len(set(order)) < len(STAGES):
            raise traitlets.TraitError(f"order={order}: each of {STAGES} once")
        return order

    def _run(self, _: object = None) -> None:
        self.views = tuple(self._source.run(dict(self.knobs), list(self.order)))
        self._num_runs += 1
        self.result = self._to_page()

    def _setting(self, stage: str) -> str:
        knob = "typical_p" if stage == "typical" else stage
        value = self.knobs.get(knob)
        is_off = value is None or value == KNOBS[knob]
        return "\u2013" if is_off else f"{value:g}"

    @property
    def _is_greedy(self) -> bool:
        return not self.knobs["temperature"]

    def _title(self) -> str:
        kept, total = self.views[-2].kept, self.views[0].kept
        picked = repr(self._label(self.picked))
        words = f"{kept:,} of {total:,} tokens survive; the draw picks {picked}"
        if self._is_greedy:
            words = f"Greedy takes the likeliest of {total:,} tokens, {picked}"
        return f"{self._about}{words}"

    def _alt(self) -> str:
        """The stages that did something, or were meant to, in words."""
        set_to = [v for v in self.views[1:-1] if v.moved > 0 or self._is_set(v.name)]
        told = "; ".join(map(self._did, set_to)) or "no stage does anything"
        tail = " At temperature 0 no stage cuts and no noise counts."
        return f"In this order: {told}.{tail if self._is_greedy else ''}"

    def _is_set(self, stage: str) -> bool:
        """True for a turned knob, if the stage is not passed by as all cuts are."""
        if self._is_greedy and not stage.endswith("_penalty"):
            return stage == "temperature"
        return self._setting(stage) != "\u2013"

    def _did(self, view: StageView) -> str:
        head = f"{view.name} {self._setting(view.name)}"
        if view.name in self.idle:
            return f"{head} does nothing, {self.idle[view.name]}"
        if view.name == "temperature" and self._is_greedy:
            return f"{head} is greedy"
        return f"{head} leaves {view.kept:,}, moves {100 * view.moved:.1f} %"

    def _to_page(self) -> dict[str, Any]:
        """Numbers and labels, ready to show."""
        model = dict(self.views[0].top)
        final = list(self.views[-2].top)
        if self.picked not in dict(final):
            final.append((self.picked, None))  # type: ignore[arg-type]  # too small to be listed
        return {
            "tick": self._num_runs,
            "title": self._title(),
            "alt": self._alt(),
            "is_greedy": self._is_greedy,
            "total": self.views[0].kept,
            "rows": [
                [v.name, v.kept, round(v.moved, 6), round(v.entropy, 4)]
                for v in self.views
            ],
            "top": [
                [self._label(i), p, model.get(i), i == self.picked] for i, p in final
            ],
        }


def _idle(source: StageSource) -> dict[str, str]:
    """The stages that can do nothing with this source, and why."""
    return {} if source.num_written else dict.fromkeys(COUNTING, NOTHING_YET)

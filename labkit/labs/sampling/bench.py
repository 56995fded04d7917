"""Runs the sampling stages on one logit vector, with any knobs and any order.

The stages are those that the engine runs, from `labkit.sampling`; only their order may
differ. The noise of the draw is fixed and nothing is computed with the model, so equal
knobs and order give equal views, and every change of the result comes from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from labkit.config import reject_unknown
from labkit.engine import Engine
from labkit.errors import ConfigError
from labkit.labs.sampling.logits import next_logits, prompt_ids
from labkit.records import OrderView, StageView
from labkit.sampling.orders import ORDERS
from labkit.sampling.pipeline import SamplingRows, sample
from labkit.sampling.stages import Stage
from labkit.sequence import SamplingParams
from labkit.sequence import Sequence as Row
from labkit.widgets.order_compare import title_of

__all__ = ["COMPARED", "Bench", "preset_orders", "total_variation"]

COMPARED = ("vllm", "transformers", "llama_cpp", "sglang")
NUM_TOP = 10
STAGES = {stage.name: stage for stage in ORDERS["labkit"]}
KNOBS = tuple(field.name for field in fields(SamplingParams))


class Bench:
    """`Bench.at(engine, prompt_ids)`, or any vector of logits [vocab]."""

    def __init__(
        self,
        logits: Tensor,
        prompt_ids: Sequence[int] = (),
        output_ids: Sequence[int] = (),
        engine: Engine | None = None,  # what `asked` computes other vectors with
    ) -> None:
        self.logits = logits
        self._engine = engine
        self._prompt_ids = tuple(prompt_ids)
        self._output_ids = list(output_ids)

    @classmethod
    def at(
        cls, engine: Engine, prompt_ids: Sequence[int], output_ids: Sequence[int] = ()
    ) -> Bench:
        """The vector that chooses the token after `output_ids`."""
        logits = next_logits(engine.model, [*prompt_ids, *output_ids])[0]
        return cls(logits, prompt_ids, output_ids, engine)

    @classmethod
    def along(
        cls, engine: Engine, prompt_ids: Sequence[int], text_ids: Sequence[int]
    ) -> list[Bench]:
        """A bench at the place of each token of a text that is written already."""
        ids = [*prompt_ids, *text_ids[:-1]]
        vectors = next_logits(engine.model, ids, last=len(text_ids))
        return [
            cls(vector, prompt_ids, text_ids[:place])
            for place, vector in enumerate(vectors)
        ]

    def shifted(self, constant: float) -> Bench:
        """The same bench with a constant added to all logits."""
        return Bench(self.logits + constant, self._prompt_ids, self._output_ids)

    def asked(self, messages: Sequence[Mapping[str, str]]) -> Bench:
        """A bench at the first token of the answer to `messages`; this one stays."""
        if self._engine is None:
            raise ConfigError(
                "this bench has a vector and no engine: make it with Bench.at(engine, "
                "prompt_ids) to ask for another prompt's vector"
            )
        return Bench.at(self._engine, prompt_ids(self._engine, messages))

    @property
    def num_written(self) -> int:
        """Tokens of output before the one to be drawn."""
        return len(self._output_ids)

    def run(
        self, knobs: Mapping[str, float], order: Sequence[str]
    ) -> tuple[StageView, ...]:
        """What each stage of `order` does: first the model's, at last the draw."""
        reject_unknown(order, STAGES, "The list of stages")
        views: list[StageView] = []
        stages = [STAGES[name] for name in order]
        rows = self._rows(knobs)
        sample(self.logits[None], rows, lambda _, view: views.append(view), stages)
        return tuple(views)

    def probs(self, order: str | Sequence[Stage], **knobs: float) -> Tensor:
        """The distribution [vocab] after an engine's stages, or after your own."""
        stages = ORDERS[order] if isinstance(order, str) else order
        rows, shaped = self._rows(knobs), self.logits[None]
        for stage in stages:
            shaped = stage.run(shaped, rows)
        return shaped[0].softmax(dim=-1)

    def compare(self, knobs: Mapping[str, float]) -> tuple[OrderView, ...]:
        """The same knobs through the orders of four engines."""
        found = {name: self.probs(name, **knobs) for name in COMPARED}
        return tuple(_view(name, found) for name in COMPARED)

    def _rows(self, knobs: Mapping[str, float]) -> SamplingRows:
        reject_unknown(knobs, KNOBS, "SamplingParams")
        given: dict[str, Any] = {"seed": 0, **knobs}
        given["seed"] = int(given["seed"])
        given["top_k"] = int(given.get("top_k") or 0) or None  # the page's 0 is off
        params = SamplingParams(**given)
        row = Row("bench", self._prompt_ids, params, 0.0, list(self._output_ids))
        return SamplingRows.build([row], len(self.logits), self.logits.device)


def preset_orders(stages: Sequence[str]) -> dict[str, list[str]]:
    """Orders over `stages`, by the engines' names; what one lacks comes last.

    SGLang is left out: it has no order, it judges all filters on one distribution.
    """
    found = {}
    for name in ("labkit", "vllm", "transformers", "llama_cpp"):
        has = [stage.name for stage in ORDERS[name] if stage.name in stages]
        lacking = (stage for stage in stages if stage not in has)
        found[title_of(name)] = [*has, *lacking]
    return found


def total_variation(p: Tensor, q: Tensor) -> float:
    """Half the sum of all differences: the mass that would have to move, 0 to 1."""
    return float((p - q).abs().sum() / 2)


def _view(name: str, found: Mapping[str, Tensor]) -> OrderView:
    probs = found[name]
    kept = int((probs > 0).sum())
    best = probs.topk(min(NUM_TOP, kept))
    return OrderView(
        name=name,
        stages=tuple(stage.name for stage in ORDERS[name]),
        kept=kept,
        top=tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True)),
        entropy=float(torch.special.entr(probs).sum()),
        distances=tuple(total_variation(probs, other) for other in found.values()),
    )

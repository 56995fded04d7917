"""Small sources for the sampling widgets: no tensor and no engine, easy numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from labkit.records import Branch, BranchToken, OrderView, StageView

__all__ = ["FourOrders", "Stages", "TwoWays", "word"]

Messages = Sequence[Mapping[str, str]]
WORDS = (
    "The",
    "␣answer",
    "is",
    "⏎",
    "3",
    "‹E2›",
    "un",
    "der",
    "stood",
    "🍓",
    "日",
    "|",
)


def word(token_id: int) -> str:
    """A label with everything that labels may hold."""
    return WORDS[token_id % len(WORDS)]


class Stages:
    """Each stage halves what survives; a knob's own value is seen in `moved`."""

    def __init__(self, num_written: int = 3) -> None:
        self.num_written = num_written
        self.calls: list[tuple[dict[str, float], list[str]]] = []
        self.heard: list[Messages] = []

    def asked(self, messages: Messages) -> Stages:
        self.heard.append(messages)
        return Stages(num_written=0)

    def run(
        self, knobs: Mapping[str, float], order: Sequence[str]
    ) -> tuple[StageView, ...]:
        self.calls.append((dict(knobs), list(order)))
        top = tuple((i, round(0.5 / 2**i, 6)) for i in range(10))
        views = [StageView("model", 49_152, top, 3.5, 0.0)]
        for place, name in enumerate(order):
            knob = "typical_p" if name == "typical" else name
            moved = min(1.0, abs(knobs[knob]) / 10)
            kept = max(1, 49_152 >> place)
            views.append(StageView(name, kept, top, 3.5 - place / 4, moved))
        picked = int(knobs["seed"]) % 12
        return (*views, StageView("draw", 1, ((picked, 1.0),), 0.0, 0.5))


class FourOrders:
    """At temperature 1 all agree; above, the last engine stands apart."""

    def __init__(self) -> None:
        self.heard: list[Messages] = []

    def asked(self, messages: Messages) -> FourOrders:
        self.heard.append(messages)
        return FourOrders()

    def compare(self, knobs: Mapping[str, float]) -> tuple[OrderView, ...]:
        apart = min(1.0, abs(knobs["temperature"] - 1) / 2)
        names = ("vllm", "transformers", "llama_cpp", "sglang")
        return tuple(
            OrderView(
                name,
                ("temperature", "top_k", "top_p"),
                40 + i,
                tuple((k, 0.5 / 2**k) for k in range(8)),
                2.0,
                tuple(apart if (i == 3) != (j == 3) else 0.0 for j in range(4)),
            )
            for i, name in enumerate(names)
        )


class TwoWays:
    """Every branch has four tokens and two blocks; a fork shares the first block."""

    def __init__(self) -> None:
        self.grown: list[tuple[str | None, int, int | None]] = []
        self.made: dict[str, Branch] = {}
        self.heard: list[Messages] = []

    def asked(self, messages: Messages) -> TwoWays:
        self.heard.append(messages)
        return TwoWays()

    def grow(self, parent: str | None, at: int, token_id: int | None) -> Branch:
        self.grown.append((parent, at, token_id))
        number = len(self.grown)
        first = 0 if token_id is None else token_id
        tokens = [_token((first + 3 * i) % 12) for i in range(4)]
        if parent is not None:  # the candidates there are the parent's
            there = self.made[parent].tokens[at - self.made[parent].start].top
            tokens[0] = BranchToken(first, dict(there)[first], there)
        blocks = (7, 10 + number) if parent else (7, 8)
        shared, read = (1, 5) if parent else (0, 38)
        branch = Branch(f"b{number}", parent, at, (*tokens,), blocks, shared, read)
        self.made[branch.name] = branch
        return branch


def _token(token_id: int) -> BranchToken:
    shares = ((token_id, 0.6), ((token_id + 1) % 12, 0.3), ((token_id + 2) % 12, 0.1))
    top = tuple((i, math.log(p)) for i, p in shares)
    return BranchToken(token_id, top[0][1], top)

"""Drafters for tests: what they guess is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping

from labkit.engine.early_exit import EarlyExitDrafter
from labkit.engine.plan import Plan
from labkit.sequence import Sequence

__all__ = ["Babbler", "CheapExit", "Oracle"]


class Oracle:
    """Knows the answer to each prompt, and gets every `wrong`-th token wrong."""

    cost = 0.01  # cheap enough to be asked for all that it may guess

    def __init__(
        self, answers: Mapping[tuple[int, ...], list[int]], wrong: int | None = None
    ) -> None:
        self._answers = answers
        self._wrong = wrong

    def propose(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        answer, start = self._answers[sequence.prompt_ids], len(sequence.output_ids)
        return tuple(
            answer[i] ^ 1 if self._wrong and i % self._wrong == 0 else answer[i]
            for i in range(start, min(start + most, len(answer)))
        )

    def fill(self, plan: Plan) -> Plan:
        return plan

    def forget(self, request: str) -> None:
        pass


class Babbler(Oracle):
    """Knows nothing and guesses all that it may."""

    def __init__(self) -> None:
        super().__init__({})

    def propose(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        newest = sequence.ids_between(sequence.num_tokens - 1, sequence.num_tokens)[0]
        return tuple((newest + place) % 288 for place in range(most))


class CheapExit(EarlyExitDrafter):
    """One whose layers cost nothing, so that it is asked for all that it may guess."""

    cost = 0.01

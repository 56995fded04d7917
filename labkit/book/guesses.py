"""The questions of one chapter, and what the reader guessed, over re-runs and restarts.

A cell that runs again gets the card that it had. A guess that was locked before the
kernel was restarted is locked again, unless the question does not offer it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from labkit.book.gate import Gate
from labkit.book.parts import Part
from labkit.book.progress_file import ProgressFile
from labkit.errors import ConfigError
from labkit.widgets.predict import Predict

__all__ = ["Cards"]

Range = tuple[float, float]


class Cards:
    """The cards of `part`; each begins a section of `gate` when its cell runs."""

    def __init__(self, part: Part, kept: ProgressFile, gate: Gate) -> None:
        self._part, self._kept, self._gate = part, kept, gate
        self._cards: dict[tuple[object, ...], Predict] = {}

    def ask(
        self, question: str, options: Sequence[str], between: Range | None, unit: str
    ) -> Predict:
        """The card of a question, with the guess that was kept, if there is one."""
        key = (question, tuple(options), between, unit)
        if key not in self._cards:
            card = Predict(question, options, between=between, unit=unit)
            self._restore(card)
            card.observe(lambda _: self._keep(card), ["is_closed", "verdict"])
            self._cards[key] = card
        self._gate.begin(self._cards[key])
        return self._cards[key]

    def _restore(self, card: Predict) -> None:
        found = self._kept.guess(self._part, card.question)
        if found is None:
            return
        with suppress(ConfigError):  # the question offers it no more
            if "guess" in found:
                card.lock(found["guess"])
            elif found.get("skipped") is True:
                card.skip()

    def _keep(self, card: Predict) -> None:
        kept: dict[str, Any] = {}
        if card.is_closed and card.guess is None:
            kept = {"skipped": True}
        elif card.is_closed:
            kept = {"guess": card.guess, "verdict": card.verdict}
        self._kept.keep_guess(self._part, card.question, kept)

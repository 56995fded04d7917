"""A prediction that is locked before the answer shows, and its comparison with it.

The page offers the choices; Python decides what counts. A locked guess stays as it is
until the reader asks for another try. Nothing waits: where nobody can answer, the
verdict says that no guess was locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import Any

import traitlets

from labkit.errors import ConfigError
from labkit.figures.drawings import Table
from labkit.figures.number_line import NumberLine, number_line
from labkit.widgets.base import LabWidget, Message
from labkit.widgets.still import image

__all__ = ["Predict", "Verdict"]

Guess = str | float


class Predict(LabWidget, page="predict"):
    """`Predict("How many tokens?", options=["20", "34"])` or `between=(0, 100)`.

    Lock in the page, or with `lock(...)`; `reveal(answer)` gives the verdict. `skip()`
    shows the answer without a guess, `again()` opens the card anew.
    """

    is_gated = False

    question = traitlets.Unicode().tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    between = traitlets.List(traitlets.Float()).tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    locked = traitlets.Unicode().tag(sync=True)  # the guess in words, "" while open
    is_closed = traitlets.Bool(False).tag(sync=True)  # locked or skipped
    verdict = traitlets.Unicode()  # on the guess, once there is an answer

    def __init__(
        self,
        question: str,
        options: Sequence[str] = (),
        *,
        between: tuple[float, float] | None = None,
        unit: str = "",
        **unknown: object,
    ) -> None:
        if bool(options) == bool(between) or len(set(options)) == 1:
            raise ConfigError(
                f"predict({question!r}): give two options or more, or between=(low, "
                "high) for a number, and not both"
            )
        self.guess: Guess | None = None
        traits: dict[str, Any] = {"question": question, "unit": unit}
        traits |= {"options": [*options], "between": [*(between or ())]}
        super().__init__(unknown, **traits)

    def record(self) -> Table:
        """The question and what could be chosen."""
        rows = tuple((option,) for option in self.options) or ((self._range(),),)
        choices = ", ".join(row[0] for row in rows)
        return Table(self.question, f"Choices: {choices}.", ("Your guess",), rows)

    def handle(self, op: str, message: Message) -> None:
        """`lock` with the choice made in the page, `skip`, or `again`."""
        match op:
            case "lock":
                self.lock(message.get("choice"))
            case "skip":
                self.skip()
            case "again":
                self.again()
            case _:
                super().handle(op, message)

    def lock(self, choice: object) -> None:
        """Fix the guess; a choice that was not offered raises `ConfigError`."""
        with self._lock:
            if self.is_closed:
                return  # the first lock counts, and none after the answer
            self.guess = self._checked(choice)
            self.locked = worded(self.guess, self.unit)
            self.is_closed = True

    def skip(self) -> None:
        """Show the answer without a guess."""
        with self._lock:
            self.is_closed = True

    def again(self) -> None:
        """Forget the guess and ask anew; what was shown stays where it is."""
        with self._lock:
            self.guess, self.locked, self.is_closed = None, "", False
            self.verdict = ""

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Without a kernel the words are shown, so there is no still."""
        choices = " · ".join(self.options) or self._range()
        html = f"<p><strong>{escape(self.question)}</strong><br>{escape(choices)}</p>"
        plain = f"{self.question} {choices}"
        return {**self._live(), "text/html": html, "text/plain": plain}, {}

    def reveal(self, answer: Guess, note: str = "") -> Verdict:
        """The verdict; in a live page it opens once the guess is locked."""
        if self.options and str(answer) not in self.options:
            offered = ", ".join(self.options)
            raise ConfigError(f"answer {answer!r} was not an option: {offered}")
        return Verdict(self, answer if self.between else str(answer), note)

    def _checked(self, choice: object) -> Guess:
        if self.options:
            if choice in self.options:
                return str(choice)
            offered = ", ".join(self.options)
            raise ConfigError(f"{choice!r} is not an option; choose from: {offered}")
        low, high = self.between
        is_number = isinstance(choice, int | float) and not isinstance(choice, bool)
        if is_number and low <= float(choice) <= high:  # type: ignore[arg-type]  # is_number says so
            return float(choice)  # type: ignore[arg-type]
        raise ConfigError(f"{choice!r} is no number from {self._range()}")

    def _range(self) -> str:
        low, high = self.between
        return f"{worded(low)} to {worded(high, self.unit)}"


class Verdict(LabWidget, page="verdict"):
    """The measured value beside the guess, hidden in the page until the lock."""

    is_gated = False  # it has a lock of its own

    text = traitlets.Unicode().tag(sync=True)
    line: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)  # {} for a choice
    is_open = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self, prediction: Predict, answer: Guess, note: str = "", **unknown: object
    ) -> None:
        self._prediction = prediction
        self._answer = answer
        self._note = note
        super().__init__(unknown)
        self._open(None)
        prediction.observe(self._open, "is_closed")

    def record(self) -> Table | NumberLine:
        """Guess and answer on a number line; a choice is a table of one row."""
        card, answer, unit = self._prediction, self._answer, self._prediction.unit
        if not isinstance(answer, str):
            guess = None if card.guess is None else float(card.guess)
            return number_line(
                (card.question, self._words()),
                (card.between[0], card.between[1]),
                (answer, worded(answer, unit)),
                None if guess is None else (guess, worded(guess, unit)),
                unit,
            )
        return Table(self._prediction.question, self.text, ("Answer",), ((self.text,),))

    def summary(self) -> str:
        """The verdict in words."""
        return str(self.text)

    def handle(self, op: str, message: Message) -> None:
        """`open`: show the answer without a guess."""
        if op != "open":
            return super().handle(op, message)
        return self._prediction.skip()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Without a kernel the answer opens by a click."""
        record = self.record()
        words = f"<p>{escape(self.text)}</p>"
        shown = words + image(record) if isinstance(record, NumberLine) else words
        html = f"<details><summary>Answer</summary>{shown}</details>"
        return {**self._live(), "text/html": html, "text/plain": self.text}, {}

    def _open(self, _: object) -> None:
        self.text = self._words()
        record = self.record()
        self.line = asdict(record) if isinstance(record, NumberLine) else {}
        self.is_open = self._prediction.is_closed
        if self._prediction.guess is not None:
            self._prediction.verdict = self.text

    def _words(self) -> str:
        guess, unit = self._prediction.guess, self._prediction.unit
        tail = f" {self._note}" if self._note else ""
        found = f"Answer: {worded(self._answer, unit)}."
        if guess is None:
            return f"{found} No guess was locked.{tail}"
        said = f"You said {worded(guess, unit)}."
        return f"{said} {found} {off_by(guess, self._answer, unit)}{tail}"


def worded(value: Guess, unit: str = "") -> str:
    """A guess or answer as text, with its unit."""
    if isinstance(value, str):
        return value
    shown = (
        f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    )
    is_one = shown == "1" and len(unit) > 2  # a unit such as ms has no plural
    return f"{shown} {unit.removesuffix('s') if is_one else unit}".rstrip()


def off_by(guess: Guess, answer: Guess, unit: str = "") -> str:
    """How far a guess is from the answer, in a sentence."""
    if isinstance(guess, str) or isinstance(answer, str):
        return "Right." if guess == answer else "Not this time."
    if worded(guess) == worded(answer):
        return "Exactly right."
    way = "too high" if guess > answer else "too low"
    if guess > 0 and answer > 0:
        factor = max(guess, answer) / min(guess, answer)
        if factor < 1.01:
            return "Right, to within 1 %."
        times = f"{factor:.2f}" if factor < 10 else f"{factor:,.0f}"
        return f"Your guess is {way} by a factor of {times}."
    return f"Your guess is {way} by {worded(abs(guess - answer), unit)}."

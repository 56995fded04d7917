"""The lock on answers: what stands below an open question is hidden until it closes.

It hides what is shown and nothing else: every cell computes, and every claim is checked
in its own cell, at once. `lab.predict` opens a question; a lock or a skip closes it and
shows what was hidden, where it stands. Without IPython, in a build of the book and
under tests the gate is unlocked and hides nothing.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from IPython.core.getipython import get_ipython
from IPython.display import display

from labkit.book.show import Prose
from labkit.widgets.still import StillMixin

__all__ = ["Card", "Gate", "current_gate", "veil_words"]

_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#|$~])")


class Card(Protocol):
    """A question: `labkit.widgets.predict.Predict`."""

    question: Any  # traits: text, and a yes or no
    is_closed: Any

    def observe(self, handler: Callable[[Any], None], names: str) -> None:
        """Call `handler` when the trait called `names` changes."""


def veil_words(question: str) -> str:
    """What stands in the place of something hidden."""
    return f"Hidden until you lock your guess on “{question}” above, or skip it."


class Gate:
    """What one notebook shows: everything, or what stands above its open question."""

    def __init__(self, *, is_unlocked: bool = True, shell: Any = None) -> None:
        self.is_unlocked = is_unlocked
        self._shell = shell
        self._card: Card | None = None
        self._behind: WeakKeyDictionary[Any, list[Callable[[], None]]]
        self._behind = WeakKeyDictionary()  # by card: what shows the hidden things
        self._cover: _Cover | None = None
        self._lock = threading.RLock()  # cards are closed from the page's own thread

    def install(self) -> None:
        """Show the widgets of this notebook's shell through the gate from now on."""
        if self._shell is None:
            return
        _GATES[self._shell] = self
        formatter = self._shell.display_formatter.mimebundle_formatter
        formatter.for_type(StillMixin, self.bundle)

    def begin(self, card: Card) -> None:
        """A question and its section: what follows is hidden until `card` closes."""
        with self._lock:
            self._card = card
            if not self.is_unlocked and card not in self._behind:
                self._behind[card] = []
                card.observe(lambda _: self._open(card), "is_closed")

    def end(self) -> None:
        """The section ends: what follows is shown."""
        with self._lock:
            self._card = None

    @property
    def question(self) -> str | None:
        """The question behind which things are hidden now; None where nothing is."""
        card = self._card
        if self.is_unlocked or card is None or card.is_closed:
            return None
        return str(card.question)

    def prose(self, content: Prose) -> Prose:
        """`content` for a cell's output; behind an open question it hides itself."""
        if self.question is None:
            return content
        return _Hidden(content.markdown, content.plain, self)

    def line(self, words: str) -> bool:
        """Hide a printed line behind the open question; False where there is none."""
        if self.question is None:
            return False
        self.show(Prose(_MARKUP.sub(r"\\\1", words), words))
        return True

    def show(self, content: Prose) -> None:
        """Show `content` as an output of this cell, now or when the question closes."""
        with self._lock:
            card, question = self._card, self.question
            if card is None or question is None:
                _display(Prose(content.markdown, content.plain))
                return
            cell = (id(card), self._shell.execution_count)
            if self._cover is None or self._cover.cell != cell:
                self._cover = _Cover(cell, veil_words(question))
                self._behind[card].append(self._cover.open)
            self._cover.parts.append(content)

    def show_openly(self, widget: Any) -> None:
        """Show a widget as an output of this cell, whatever question is open."""
        if isinstance(widget, StillMixin):
            widget.was_shown = True
        if self.is_unlocked and self._shell is not None:
            self._show_again_at_the_end(_display(widget, display_id=True), widget)
        else:
            _display(widget)

    def show_lasting(self, content: Prose) -> Any:
        """Show `content`, whatever question is open; `update(...)` of what this gives
        puts something else in its place later."""
        return _display(content, display_id=True)

    def _show_again_at_the_end(self, handle: Any, thing: Any) -> None:
        """Let a built notebook keep the still of what the cell has come to.

        A page follows its widget by itself; it would only be drawn twice there.
        """
        events = self._shell.events

        def show_again(_: object) -> None:
            events.unregister("post_run_cell", show_again)
            handle.update(thing)

        events.register("post_run_cell", show_again)

    def bundle(self, widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The mime bundle of a widget; behind an open question it is veiled."""
        with self._lock:
            card, question = self._card, self.question
            is_open = card is None or question is None
            if is_open or not widget.is_gated or widget.was_shown:
                _unveil(widget)
                return _bundle_of(widget)
            words = widget.veil = veil_words(question or "")
            self._behind[card].append(lambda: _unveil(widget))
            shown = {"text/html": f"<p><em>{words}</em></p>", "text/plain": words}
            return {**_bundle_of(widget)[0], **shown}, {}

    def _open(self, card: Card) -> None:
        """Show what was hidden behind `card`, once it is closed."""
        with self._lock:
            waiting = self._behind[card] if card.is_closed else []
            shown, waiting[:] = list(waiting), []
            self._cover = None
        for show in shown:
            show()


class _Cover:
    """The placeholder of one cell, and what it hides."""

    def __init__(self, cell: tuple[int, int], words: str) -> None:
        self.cell = cell
        self.parts: list[Prose] = []
        self._handle = _display(Prose(f"*{words}*", words), display_id=True)

    def open(self) -> None:
        """Put what was hidden in the place of the placeholder."""
        markdown = "\n\n".join(part.markdown for part in self.parts)
        plain = "\n".join(part.plain for part in self.parts)
        if self._handle is not None:
            self._handle.update(Prose(markdown, plain))


class _Hidden(Prose):
    """Prose that asks the gate when it is shown."""

    def __init__(self, markdown: str, plain: str, gate: Gate) -> None:
        super().__init__(markdown, plain)
        object.__setattr__(self, "_gate", gate)  # the record is frozen

    def _ipython_display_(self) -> None:
        gate: Gate = self._gate  # type: ignore[attr-defined]  # set above
        gate.show(self)


_GATES: WeakKeyDictionary[Any, Gate] = WeakKeyDictionary()  # by IPython's shell


def current_gate() -> Gate:
    """The gate of the notebook that asks; one that is unlocked where there is none."""
    shell = get_ipython()
    found = _GATES.get(shell) if shell is not None else None
    return found if found is not None else Gate()


def _display(thing: object, **how: Any) -> Any:
    return display(thing, **how)  # type: ignore[no-untyped-call]  # IPython's


def _unveil(widget: Any) -> None:
    widget.was_shown, widget.veil = True, ""


def _bundle_of(widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    found: tuple[dict[str, Any], dict[str, Any]] = widget._repr_mimebundle_()
    return found

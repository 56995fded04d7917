"""The reader's own prompt: one for a chapter, handed to every widget that follows it.

The book's request stays what it is, since the book's claims are about it. A follower is
held weakly, and one that fails is named in a sentence; the others still get the prompt.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from labkit.errors import ConfigError, LabError

__all__ = ["Follower", "Prompt"]

Messages = Sequence[Mapping[str, str]]


class Follower(Protocol):
    """A widget that can work on other messages than the book's."""

    def ask(self, messages: Messages) -> object:
        """Work on `messages` from now on."""
        ...


F = TypeVar("F", bound=Follower)


class Prompt:
    """The messages that the reader works with: the book's, or their own."""

    def __init__(self, book: Messages) -> None:
        self._book = self._now = tuple(dict(message) for message in book)
        self._followers: WeakSet[Any] = WeakSet()
        self._lock = threading.RLock()

    @property
    def messages(self) -> list[dict[str, str]]:
        """The reader's messages now; the book's, until they ask something else."""
        return [dict(message) for message in self._now]

    def follow(self, widget: F) -> F:
        """Hand every prompt of the reader to `widget` from now on, this one included.

        As long as the book's request is the prompt, nothing is handed over.
        """
        if not callable(getattr(widget, "ask", None)):
            raise ConfigError(
                f"follow({type(widget).__name__}): it takes no prompt; follow a widget "
                "that has a method ask(messages)"
            )
        with self._lock:
            self._followers.add(widget)
        if self._now != self._book:
            widget.ask(self.messages)
        return widget

    def give(self, messages: Messages) -> str:
        """Make `messages` the prompt; what became of the followers, in words."""
        with self._lock:
            self._now = tuple(dict(message) for message in messages)
            followers = list(self._followers)
        troubles = [trouble for one in followers if (trouble := self._hand(one))]
        done = len(followers) - len(troubles)
        pictures = "1 picture" if done == 1 else f"{done} pictures"
        whose = "the book's request" if self._now == self._book else "your prompt"
        told = [f"{pictures} below now work on {whose}."] if done > 1 else []
        told = [f"{pictures} below now works on {whose}."] if done == 1 else told
        return " ".join([*told, *troubles])

    def _hand(self, widget: Follower) -> str:
        """Hand the prompt to one follower; what went wrong, or ""."""
        try:
            widget.ask(self.messages)
        except LabError as error:
            return f"{type(widget).__name__}: {error}"
        except Exception as error:  # the others still get the prompt
            return f"{type(widget).__name__}: {type(error).__name__}: {error}"
        return ""

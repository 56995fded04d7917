"""The Enter that ends a composition is no wish to send: three handlers, three browsers.

The sequences are not recordings: they are the order of events that the named sources
state for the Enter which confirms the text of an input method, such as 日本. The same
key pressed once more, with nothing left to confirm, is the one that should send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = [
    "CONFIRMED",
    "HANDLERS",
    "SENT",
    "CompositionTrace",
    "InputEvent",
    "num_sends",
]

PROCESSED: Final = 229  # the key code of a press that an input method has taken
ENTER: Final = 13

# MDN tells what 229 and isComposing mean; the other page, in which order the three
# browsers send keydown and compositionend.
MDN: Final = "https://developer.mozilla.org/en-US/docs/Web/API/Element/keydown_event"
BLUESKY: Final = "https://github.com/bluesky-social/social-app/pull/4186"


@dataclass(frozen=True, slots=True)
class InputEvent:
    """One event of a text box, with what a handler may look at."""

    kind: str  # its DOM name
    key: str = ""
    key_code: int = 0
    is_composing: bool = False


@dataclass(frozen=True, slots=True)
class CompositionTrace:
    """What one browser tells the page while one Enter is pressed and let go."""

    events: Sequence[InputEvent]
    source: str  # the page that states their order


TAKEN: Final = InputEvent("keydown", "Enter", PROCESSED, is_composing=True)
TAKEN_LATE: Final = InputEvent("keydown", "Enter", PROCESSED)
END: Final = InputEvent("compositionend")
UP: Final = InputEvent("keyup", "Enter", ENTER)

# The Enter that confirms a composition.
CONFIRMED: Final[Mapping[str, CompositionTrace]] = MappingProxyType(
    {
        "Chrome": CompositionTrace((TAKEN, END, UP), BLUESKY),
        "Firefox": CompositionTrace((TAKEN, END, UP), BLUESKY),
        "Safari": CompositionTrace((END, TAKEN_LATE, UP), BLUESKY),
    }
)
# The next Enter, which is the same in all three.
SENT: Final = CompositionTrace((InputEvent("keydown", "Enter", ENTER), UP), MDN)


def _naive(event: InputEvent) -> bool:
    return event.kind == "keydown" and event.key == "Enter"


def _is_composing(event: InputEvent) -> bool:
    return _naive(event) and not event.is_composing


def _both(event: InputEvent) -> bool:
    return _is_composing(event) and event.key_code != PROCESSED


# Each says whether an event sends the message.
HANDLERS: Final[Mapping[str, Callable[[InputEvent], bool]]] = MappingProxyType(
    {"naive": _naive, "isComposing": _is_composing, "isComposing and 229": _both}
)


def num_sends(trace: CompositionTrace, sends: Callable[[InputEvent], bool]) -> int:
    """How many messages a handler sends during `trace`."""
    return sum(map(sends, trace.events))

"""What a backend says about a request, and who may listen to it or change it.

Everything that follows an answer is an `Observer`, everything that changes one is a
`Stage`; the loop that carries an answer knows neither of them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from labkit.dialects.events import FinishReason, TokenScore
from labkit.records import Usage
from server.outcomes import Outcome

__all__ = [
    "Accepted",
    "Listener",
    "Observer",
    "Output",
    "Stage",
    "StepTiming",
    "staged",
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """How a request became a prompt; the moments are those of the server's clock."""

    rendered_s: float  # the messages have become the prompt's text
    tokenized_s: float  # the text has become token ids
    max_tokens: int  # of the answer: what was asked for, cut to the room there is
    model: str
    device: str


@dataclass(frozen=True, slots=True)
class StepTiming:
    """The engine step that an output comes from; the four moments are in order."""

    step: int
    started_s: float
    computed_s: float  # logits are there
    sampled_s: float  # tokens are chosen
    ended_s: float  # text is decoded


@dataclass(frozen=True, slots=True)
class Output:
    """What a backend has to say about one request: at most one token at a time."""

    usage: Usage  # tokens so far, this one included
    text: str = ""  # may be shown now; often none, never half a character
    scores: tuple[TokenScore, ...] = ()  # of the tokens that released `text`
    index: int | None = None  # place in the answer; None: no token, part of the prompt
    time_s: float = 0.0  # when the token was chosen
    finish: FinishReason | None = None
    stop: str | None = None  # the stop string that was met
    timing: StepTiming | None = None
    accepted: Accepted | None = None  # in the first output only


Listener = Callable[[Output], None]


class Observer:
    """Whoever follows a request: it has the methods for what it wants to hear of.

    An observer changes nothing. If one raises, the request it follows fails.
    """

    # The backend has produced an output, whether or not anybody will read it.
    on_event: Listener | None = None
    # The client's connection has taken an output, as the stages let it through.
    on_sent: Listener | None = None

    def on_end(self, usage: Usage, outcome: Outcome) -> None:
        """The request is over; called once, also when the client has left."""


class Stage(Protocol):
    """Changes an answer on its way: rewrites text, holds it back, or ends it.

    What it gives with a `finish` ends the answer, whatever the engine goes on to say.
    """

    def feed(self, output: Output) -> list[Output]:
        """What may go on now; without `output` itself where it is to wait."""
        ...

    def flush(self) -> list[Output]:
        """The answer is over: what is still held back."""
        ...


def staged(stages: Sequence[Stage], output: Output) -> Sequence[Output]:
    """What the stages let through of `output`; with the last one, all that they hold.

    The engine's last output comes as its text, what the stages release, and its end.
    """
    is_last = output.finish is not None
    passing = [replace(output, finish=None, stop=None) if is_last else output]
    for stage in stages:
        passing = [after for each in passing for after in stage.feed(each)]
        if is_last:
            passing += stage.flush()
    if not is_last or any(each.finish is not None for each in passing):
        return passing
    return [*passing, replace(output, text="", scores=())]

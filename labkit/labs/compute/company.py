"""The same greedy request alone and in a batch with others, token by token.

Each answer is computed by an engine of its own, without a prefix cache, so that all of
its numbers are computed in the company that is asked for. What a difference means is
left to the chapter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labkit.clock import Clock
from labkit.config import EngineConfig
from labkit.engine import Engine
from labkit.model.loaded import LoadedModel
from labkit.records import TokenEvent
from labkit.sequence import SamplingParams

__all__ = ["Company", "closest_call", "has_same_bits", "largest_change", "token_ids"]

Messages = Sequence[Mapping[str, str]]
Answer = tuple[TokenEvent, ...]


class Company:
    """`Company(model, messages, clock).answers((0, 3, 15))`: by number of others."""

    def __init__(self, model: LoadedModel, messages: Messages, clock: Clock) -> None:
        self._model = model
        self._messages = messages
        self._clock = clock

    def answers(self, numbers: Iterable[int]) -> dict[int, Answer]:
        """One answer for each number of other requests in the same steps."""
        return {number: self.answer(number) for number in numbers}

    def answer(self, others: int, **knobs: Any) -> Answer:
        """The request's token events beside `others` prompts that begin as it does."""
        engine = Engine(self._model, EngineConfig(prefix_caching=False), self._clock)
        ids = engine.tokenizer.encode(engine.template.render(self._messages))
        usual = {"max_tokens": 16, "temperature": 0.0, "top_logprobs": 2}
        params = SamplingParams(**{**usual, **knobs})
        asked = [engine.add([*ids, *ids[:i]], params) for i in range(others + 1)]
        events: list[TokenEvent] = []
        while engine.has_work:
            events += [e for e in engine.step().emitted if e.request == asked[0]]
        return tuple(events)

    def first_token_at_a_tie(self, alone: Answer, others: int) -> int:
        """The first token where `logit_bias` makes the two best equal when alone."""
        (_, best), (second, runner_up) = alone[0].top
        lift = ((second, best - runner_up),)
        event, *_ = self.answer(others, max_tokens=1, logit_bias=lift)
        assert event.token_id is not None, "a step without a token"
        return event.token_id


def has_same_bits(alone: Answer, other: Answer) -> bool:
    """Whether tokens, log-probabilities and best candidates are equal to the bit."""
    values = [[(e.token_id, e.logprob, e.top) for e in each] for each in (alone, other)]
    return values[0] == values[1]


def token_ids(answer: Answer) -> list[int | None]:
    """The tokens of an answer."""
    return [event.token_id for event in answer]


def largest_change(alone: Answer, other: Answer) -> float:
    """The largest change of a token's log-probability, in nats."""
    pairs = zip(alone, other, strict=False)
    return max(abs(_logprob(a) - _logprob(b)) for a, b in pairs)


def closest_call(answer: Answer) -> float:
    """The least distance of the two best candidates at any place, in nats."""
    return min(event.top[0][1] - event.top[1][1] for event in answer)


def _logprob(event: TokenEvent) -> float:
    assert event.logprob is not None, "ask with top_logprobs"
    return event.logprob

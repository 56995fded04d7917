"""A request's life: whoever follows it hears of it, whatever becomes of the reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from labkit.clock import FakeClock
from labkit.dialects import openai
from labkit.dialects.events import (
    ApiError,
    ChatRequest,
    Ended,
    Failed,
    FinishReason,
    Message,
    Role,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.errors import QueueFull
from labkit.records import Usage
from labkit.sequence import SamplingParams
from server.admission import Admission
from server.outcomes import Outcome
from server.outputs import Observer, Output, Stage
from server.pipeline import RequestContext, answer
from tests.support.scripted_backend import ScriptedBackend

CHAT = ChatRequest("m", (Message(Role.USER, "hi"),), SamplingParams())


class Ledger(Observer):
    """Follows a request as a bill would."""

    def __init__(self) -> None:
        self.num_produced = 0
        self.shown = ""
        self.ends: list[tuple[Usage, Outcome]] = []

    def on_event(self, output: Output) -> None:
        self.num_produced += output.index is not None

    def on_sent(self, output: Output) -> None:
        self.shown += output.text

    def on_end(self, usage: Usage, outcome: Outcome) -> None:
        self.ends.append((usage, outcome))


class WholeSentences(Stage):
    """Holds text back until a sentence is complete; a bad one ends the answer."""

    def __init__(self) -> None:
        self._held: list[Output] = []

    def feed(self, output: Output) -> list[Output]:
        self._held.append(output)
        text = "".join(each.text for each in self._held)
        if "bad" in text:
            self._held = []
            return [replace(output, text="", finish=FinishReason.CONTENT_FILTER)]
        return self.flush() if text.endswith(".") else []

    def flush(self) -> list[Output]:
        released, self._held = self._held, []
        return released


def life(
    backend: ScriptedBackend,
    observers: Sequence[Observer] = (),
    stages: Sequence[Stage] = (),
    chat: ChatRequest = CHAT,
    **others: Any,
) -> AsyncGenerator[StreamEvent, None]:
    context = RequestContext("r", 0, 9, ("m",), observers, stages, **others)
    return answer(chat, context, backend, Admission(2))


async def all_of(events: AsyncGenerator[StreamEvent, None]) -> list[StreamEvent]:
    async with aclosing(events):
        return [event async for event in events]


def said(*script: str, **knobs: Any) -> list[StreamEvent]:
    backend = ScriptedBackend(FakeClock(), script)
    return asyncio.run(all_of(life(backend, **knobs)))


def texts(events: Sequence[StreamEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, TextPiece)]


def test_an_observer_hears_what_is_produced_what_is_shown_and_the_end() -> None:
    ledger = Ledger()
    events = said("On", "ce", "", " up", observers=[ledger])
    assert (ledger.num_produced, ledger.shown) == (4, "Once up")
    assert isinstance(events[-1], Ended)
    assert ledger.ends == [(events[-1].usage, Outcome.FINISHED)]
    assert events[-1].usage.completion_tokens == 4


def test_a_stage_may_hold_text_back_and_all_of_it_comes_in_the_end() -> None:
    ledger = Ledger()
    events = said("A", "b.", "C", "d", stages=[WholeSentences()], observers=[ledger])
    assert texts(events) == ["A", "b.", "C", "d"]
    assert isinstance(events[-1], Ended)
    assert events[-1].finish is FinishReason.STOP
    assert ledger.shown == "Ab.Cd"


def test_a_stage_may_end_an_answer_and_the_engine_is_told() -> None:
    ledger, backend = Ledger(), ScriptedBackend(FakeClock())

    async def scene() -> list[StreamEvent]:
        events = life(backend, [ledger], [WholeSentences()])
        await anext(events)
        for piece in ("Fine.", "A ", "bad", " word."):
            backend.step("r", piece)
        return await all_of(events)

    events = asyncio.run(scene())
    assert texts(events) == ["Fine."]
    assert isinstance(events[-1], Ended)
    assert events[-1].finish is FinishReason.CONTENT_FILTER
    assert backend.aborted == ["r"]
    assert ledger.ends[0][0].completion_tokens == 4  # what the engine computed
    frames = list(openai.OpenAIFrames().feed(events[-1]))
    assert b'"finish_reason":"content_filter"' in frames[0]


def test_a_client_that_leaves_is_charged_for_what_was_computed() -> None:
    ledger, backend = Ledger(), ScriptedBackend(FakeClock())

    async def scene() -> None:
        events = life(backend, [ledger])
        await anext(events)
        for _ in range(5):
            backend.step("r", "x")
        await anext(events)  # reads one of the five
        await events.aclose()
        assert backend.aborted == ["r"]  # at once, not when garbage is collected

    asyncio.run(scene())
    [(usage, outcome)] = ledger.ends
    assert (usage.completion_tokens, outcome) == (5, Outcome.CLIENT_CLOSED)


def test_what_is_refused_ends_as_refused_and_holds_no_seat() -> None:
    ledger, backend = Ledger(), ScriptedBackend(FakeClock())
    backend.refusals = [QueueFull("4 wait already", retry_after_s=1.0)] * 3

    async def scene() -> None:
        admission = Admission(1)
        context = RequestContext("r", 0, 9, ("m",), [ledger])
        for _ in range(3):
            with pytest.raises(QueueFull):
                await all_of(answer(CHAT, context, backend, admission))

    asyncio.run(scene())
    assert [outcome for _, outcome in ledger.ends] == [Outcome.REFUSED] * 3


def test_requests_are_counted_before_anything_is_tokenised() -> None:
    backend = ScriptedBackend(FakeClock())

    async def scene() -> None:
        admission = Admission(1)
        first = answer(CHAT, RequestContext("a", 0, 9, ("m",)), backend, admission)
        async with aclosing(first):
            await anext(first)
            num_prompts = len(backend.prompts)
            second = answer(CHAT, RequestContext("b", 0, 9, ("m",)), backend, admission)
            with pytest.raises(ApiError, match="1 requests") as caught:
                await all_of(second)
            assert caught.value.problem.status == 429
            assert len(backend.prompts) == num_prompts

    asyncio.run(scene())


def test_more_messages_than_tokens_are_refused_before_anything_is_tokenised() -> None:
    backend = ScriptedBackend(FakeClock())
    many = replace(CHAT, messages=CHAT.messages * 100)  # the context is 100 tokens
    with pytest.raises(ApiError, match="100 messages") as caught:
        asyncio.run(all_of(life(backend, chat=many)))
    assert caught.value.problem.code == "context_length_exceeded"
    assert backend.prompts == []


def test_a_backend_that_breaks_off_ends_the_stream_with_one_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger, backend = Ledger(), ScriptedBackend(FakeClock())

    async def scene() -> list[StreamEvent]:
        events = life(backend, [ledger])
        await anext(events)
        backend.step("r", "x")
        backend.break_off("r", RuntimeError("secret"))
        return await all_of(events)

    *_, last = asyncio.run(scene())
    assert isinstance(last, Failed)
    assert "secret" not in last.problem.message
    assert "request r failed" in caplog.text
    assert "secret" in caplog.text
    assert [outcome for _, outcome in ledger.ends] == [Outcome.FAILED]


@pytest.mark.parametrize("place", [None, 0, 1])
def test_an_observer_that_fails_is_the_last_event_of_a_started_stream(
    place: int | None,
) -> None:
    class Broken(Observer):
        def on_sent(self, output: Output) -> None:
            if output.index == place:
                raise RuntimeError("disk full")

    ledger = Ledger()
    first, *_, last = said("x", "y", observers=[Broken(), ledger])
    assert isinstance(first, Started)
    assert isinstance(last, Failed)
    assert [outcome for _, outcome in ledger.ends] == [Outcome.FAILED]


def test_an_observer_that_fails_at_the_end_keeps_nobody_from_hearing_of_it() -> None:
    class Broken(Observer):
        def on_end(self, usage: Usage, outcome: Outcome) -> None:
            raise RuntimeError("disk full")

    ledger = Ledger()
    said("x", observers=[Broken(), ledger])
    assert len(ledger.ends) == 1


def test_salt_and_limits_reach_the_backend() -> None:
    backend = ScriptedBackend(FakeClock(), ["x"])
    asyncio.run(all_of(life(backend, tenant="acme")))
    assert backend.requests["r"].salt == "acme"
    assert backend.requests["r"].max_tokens == 9

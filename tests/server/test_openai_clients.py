"""Both families of the official client get what they expect from a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest

from labkit.dialects.events import ApiError, Kind, Problem
from labkit.errors import QueueFull
from tests.server.conftest import Start
from tests.support import openai2
from tests.support.running import CHAT, RunningServer, wait_until


@pytest.fixture(scope="module", params=["2.x", "3.x"])
def results(request: pytest.FixtureRequest, tiny_server: RunningServer) -> Any:
    by_version: dict[str, Callable[[str], Any]] = {
        "2.x": openai2.run,
        "3.x": openai2.calls,
    }
    found = by_version[request.param](tiny_server.url)
    assert found["version"].startswith(request.param[:2])
    return found


def test_streamed_text_equals_the_whole_answer(results: Any) -> None:
    assert results["whole"] == results["streamed"] == results["helper"]
    assert results["finish"] == "length"


def test_usage_is_the_same_streamed_and_whole(results: Any) -> None:
    details = "prompt_tokens_details"  # what was cached depends on who came before
    streamed, whole = ({**results[k], details: 0} for k in ("usage", "whole_usage"))
    assert streamed == whole
    usage = results["usage"]
    assert usage["completion_tokens"] == 6
    assert usage["total_tokens"] == usage["prompt_tokens"] + 6
    assert 0 <= usage[details]["cached_tokens"] < usage["prompt_tokens"]


def test_log_probabilities_are_parsed(results: Any) -> None:
    assert len(results["scores"]) == 6
    assert all(num == 2 and value <= 0 for num, value in results["scores"])


def test_a_stop_string_cuts_the_answer(results: Any) -> None:
    text, finish = results["stopped"]
    whole = results["whole"]
    assert (text, finish) == (whole.partition(whole[-1])[0], "stop")


def test_models_are_listed_and_a_name_may_hold_a_slash(results: Any) -> None:
    assert results["models"] == ["tiny", "m", "a/b"]
    assert results["model"] == "a/b"


def test_errors_arrive_as_the_clients_own_classes(results: Any) -> None:
    assert results["errors"] == [
        ["BadRequestError", 400, "invalid_value", "temperature"],
        ["NotFoundError", 404, "model_not_found", "model"],
        ["BadRequestError", 400, "unsupported_parameter", "tools"],
        ["BadRequestError", 400, "invalid_value", "temperature"],
    ]


def client_of(server: RunningServer, max_retries: int = 0) -> openai.OpenAI:
    url = server.url + "/v1"
    return openai.OpenAI(base_url=url, api_key="none", max_retries=max_retries)


def test_a_full_queue_is_retried_by_the_client_itself(scripted: Start) -> None:
    server, backend = scripted("Hi")
    full = QueueFull("4 requests wait already", retry_after_s=0.05)
    backend.refusals = [full, full]
    with client_of(server, max_retries=2) as client:
        answer = client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == "Hi"
    assert server.routes.outcomes.by_outcome()["refused"] == 2


def test_a_full_queue_says_when_to_come_back(scripted: Start) -> None:
    server, backend = scripted("Hi")
    backend.refusals = [QueueFull("4 requests wait already", retry_after_s=0.05)]
    with client_of(server) as client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(**CHAT)
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "50")
    assert caught.value.code == "server_overloaded"


def test_a_failure_in_mid_stream_raises_in_the_client(scripted: Start) -> None:
    server, backend = scripted()
    broken = ApiError(
        Problem(500, "the engine broke", Kind.SERVER, code="engine_error")
    )
    with client_of(server) as client:
        stream = client.chat.completions.create(**CHAT, stream=True)
        (run,) = backend.live
        backend.step(run, "Hal")
        backend.break_off(run, broken)
        with pytest.raises(openai.APIError, match="the engine broke"):
            list(stream)
    counts = server.routes.outcomes.by_outcome  # the client hears of it a moment before
    wait_until(lambda: counts()["failed"] == 1, "the run is settled as failed")


def test_closing_a_stream_frees_its_blocks(scripted: Start) -> None:
    server, backend = scripted()
    with client_of(server) as client:
        stream = client.chat.completions.create(**CHAT, stream=True)
        (run,) = backend.live
        backend.step(run, "Hal")
        assert next(iter(stream)).choices[0].delta.role == "assistant"
        stream.close()
        wait_until(server.is_idle, "the block is free")
    assert backend.aborted == [run]


def test_the_asynchronous_client_streams_too(scripted: Start) -> None:
    server, _ = scripted("Hel", "lo")

    async def read() -> str:
        url = server.url + "/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
            stream = await client.chat.completions.create(**CHAT, stream=True)
            return "".join([c.choices[0].delta.content or "" async for c in stream])

    assert asyncio.run(read()) == "Hello"


def test_an_answer_that_was_cancelled_still_ends_well(scripted: Start) -> None:
    server, backend = scripted()
    with client_of(server) as client:
        stream = client.chat.completions.create(**CHAT, stream=True)
        (run,) = backend.live
        assert server.post(f"/v1/runs/{run}/cancel").json["status"] == "cancelled"
        chunks = list(stream)
    assert chunks[-1].choices[0].finish_reason == "abort"

"""What official clients choke on: the same text and usage streamed and whole, and more.

Each case of `ASKED` ends in another way: at a limit, inside a character, at a stop
string, in the middle of one, at the end that the model chose.
"""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from labkit.dialects.events import ApiError, Kind, Problem
from labkit.dialects.openai import OpenAIReader
from labkit.dialects.wire import ChunkReader
from labkit.errors import LabError, QueueFull
from labkit.records import StreamChunk
from tests.server.conftest import Start
from tests.support.running import CHAT, Reply, RunningServer, wait_until

FIRST_BYTE = 3  # the tiny model's id of byte 0; byte b has the id 3 + b


def only(*values: int) -> dict[str, float]:
    """A bias that leaves the model these bytes."""
    return {str(FIRST_BYTE + byte): 100 for byte in values}


ASKED: dict[str, dict[str, Any]] = {
    "as drawn": {"temperature": 1, "seed": 11, "max_tokens": 20},
    "at the end of the answer": {"logit_bias": {"2": 100}, "max_tokens": 5},
    "inside its first character": {"logit_bias": only(0xF0), "max_tokens": 1},
    "of bytes that are no text": {"logit_bias": only(0xE2), "max_tokens": 5},
    "at a stop string": {"logit_bias": only(*b"ab"), "stop": ["bb", "aa", "ab", "ba"]},
    "within a stop string": {
        "logit_bias": only(*b"a"),
        "stop": "aaaa",
        "max_tokens": 3,
    },
    "without room for a second token": {"logit_bias": only(*b"x"), "max_tokens": 1},
}


def chunks_of(reply: Reply) -> list[StreamChunk]:
    assert reply.status == 200, reply.body
    return ChunkReader(OpenAIReader()).feed(reply.body)


def streamed(server: RunningServer, **asked: Any) -> Reply:
    options = {"include_usage": True}
    return server.chat(**asked, stream=True, stream_options=options)


def entries(reply: Reply) -> list[str]:
    """The tokens that log-probabilities are given for, streamed or whole."""
    if reply.headers["content-type"] == "application/json":
        return [e["token"] for e in reply.json["choices"][0]["logprobs"]["content"]]
    found = []
    for chunk in chunks_of(reply):
        data = chunk.raw.removeprefix("data: ")
        choices = json.loads(data)["choices"] if data[:1] == "{" else []
        for choice in choices:
            found += choice["logprobs"]["content"] if choice["logprobs"] else []
    return [entry["token"] for entry in found]


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("logprobs", [False, True])
def test_an_answer_that_ends_is_the_same_streamed_and_whole(
    name: str, logprobs: bool, tiny_server: RunningServer
) -> None:
    asked = {**ASKED[name], "logprobs": logprobs}
    chunks = chunks_of(streamed(tiny_server, **asked))
    whole = tiny_server.chat(**asked).json
    choice = whole["choices"][0]
    assert "".join(chunk.text for chunk in chunks) == choice["message"]["content"]
    assert [c.finish for c in chunks if c.finish] == [choice["finish_reason"]]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    told = (usage.prompt_tokens, usage.completion_tokens)
    assert told == tuple(
        whole["usage"][name] for name in ("prompt_tokens", "completion_tokens")
    )


@pytest.mark.parametrize("name", ASKED)
def test_every_counted_token_has_one_log_probability(
    name: str, tiny_server: RunningServer
) -> None:
    asked = {**ASKED[name], "logprobs": True}
    whole = tiny_server.chat(**asked)
    num_tokens = whole.json["usage"]["completion_tokens"]
    assert len(entries(whole)) == num_tokens
    assert entries(streamed(tiny_server, **asked)) == entries(whole)


@pytest.mark.parametrize("name", ASKED)
def test_the_role_comes_first_and_by_itself(
    name: str, tiny_server: RunningServer
) -> None:
    kinds = [chunk.kind for chunk in chunks_of(streamed(tiny_server, **ASKED[name]))]
    assert kinds[0] == "role"
    assert kinds[-3:] == ["finish", "usage", "done"]
    assert set(kinds[1:-3]) <= {"content"}


def test_no_block_is_without_data_but_comments_and_none_has_another_field(
    scripted: Start,
) -> None:
    """A `retry:` or a bare `event:` is a JSON error in openai's client."""
    server, backend = scripted(heartbeat_s=0.02)
    with client_of(server) as client:
        answer = client.chat.completions.with_streaming_response.create(
            **CHAT, stream=True
        )
        with answer as response:
            pieces = response.iter_bytes()
            found = next(pieces)
            (run,) = backend.live
            while found.count(b": ping\n\n") < 2:
                found += next(pieces)
            backend.step(run, "Hi")
            backend.abort(run)
            found += b"".join(pieces)
    blocks = found.split(b"\n\n")
    assert blocks.pop() == b""
    assert all(b"\n" not in block for block in blocks)
    assert {block.partition(b": ")[0] for block in blocks} == {b"data", b""}


def test_a_client_reads_over_heartbeats(scripted: Start) -> None:
    server, backend = scripted(heartbeat_s=0.02)
    with client_of(server) as client:
        stream = client.chat.completions.create(**CHAT, stream=True)
        (run,) = backend.live
        assert next(stream).choices[0].delta.role == "assistant"
        end_after_heartbeats(backend, run)
        assert [chunk.choices[0].delta.content for chunk in stream] == ["Hi", None]


def end_after_heartbeats(backend: Any, run: str) -> None:
    """Let some heartbeats pass, then have the answer end."""
    end = backend.clock.now() + 0.1
    wait_until(lambda: backend.clock.now() > end, "the heartbeats")
    backend.step(run, "Hi")
    backend.abort(run)


def client_of(server: RunningServer, max_retries: int = 0) -> openai.OpenAI:
    url = server.url + "/v1"
    return openai.OpenAI(base_url=url, api_key="none", max_retries=max_retries)


HOPELESS = Problem(503, "it is gone", Kind.SERVER, code="gone", should_retry=False)


@pytest.mark.parametrize(
    "refusal",
    [ApiError(HOPELESS), QueueFull("come back tomorrow", retry_after_s=121)],
    ids=["gone", "a long wait"],
)
def test_a_client_does_not_repeat_what_is_hopeless(
    refusal: LabError, scripted: Start
) -> None:
    server, backend = scripted("Hi")
    backend.refusals = [refusal, refusal, refusal]
    with (
        client_of(server, max_retries=2) as client,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        client.chat.completions.create(**CHAT)
    assert len(backend.refusals) == 2
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_client_repeats_what_may_succeed_later(scripted: Start) -> None:
    server, backend = scripted("Hi")
    late = Problem(503, "soon", Kind.SERVER, code="soon", retry_after_s=0.01)
    backend.refusals = [ApiError(late), QueueFull("full", retry_after_s=0.01)]
    with client_of(server, max_retries=2) as client:
        answer = client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == "Hi"
    assert backend.refusals == []


def test_an_answer_given_back_as_history_is_taken(scripted: Start) -> None:
    """As the client's own objects write it out, every field that it knows."""
    server, _ = scripted("Hi")
    question = CHAT["messages"]
    with client_of(server) as client:
        chat = client.chat.completions
        said = chat.create(**CHAT).choices[0].message
        for told in (said, said.model_dump(), {**said.to_dict(), "annotations": []}):
            messages = [*question, told, *question]
            again = chat.create(**{**CHAT, "messages": messages})
            assert again.choices[0].message.content == "Hi"

"""Neutral events become OpenAI's bytes, with nothing running."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labkit.dialects import openai
from labkit.dialects.events import (
    Ended,
    Failed,
    FinishReason,
    Kind,
    Ping,
    Problem,
    Started,
    StreamEvent,
    TextPiece,
    TokenScore,
)
from labkit.records import Usage
from labkit.text.sse import SSEParser

STARTED = Started("chatcmpl-1", "m", 1_767_225_600, 7)
ENDED = Ended(FinishReason.STOP, Usage(7, 2, 3))
SCORE = TokenScore("é", "é".encode(), -0.25, (TokenScore("<e>", None, float("-inf")),))
RUN: list[StreamEvent] = [STARTED, TextPiece("Hé", (SCORE,)), Ping(), ENDED]


def parsed(events: list[StreamEvent], **options: bool) -> list[Any]:
    found = SSEParser().feed(b"".join(openai.frames(events, **options)))
    assert found.pop().data == "[DONE]"
    return [json.loads(event.data) for event in found]


def test_chunks_come_in_the_order_of_the_contract() -> None:
    role, content, finish = parsed(RUN)
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert content["choices"][0]["delta"] == {"content": "Hé"}
    assert finish["choices"][0]["delta"] == {}
    reasons = [c["choices"][0]["finish_reason"] for c in (role, content, finish)]
    assert reasons == [None, None, "stop"]


def test_id_model_and_date_are_the_same_in_every_chunk() -> None:
    chunks = parsed(RUN, with_usage=True)
    heads = {(c["id"], c["object"], c["created"], c["model"]) for c in chunks}
    assert heads == {("chatcmpl-1", "chat.completion.chunk", 1_767_225_600, "m")}


def test_the_usage_key_is_there_only_when_asked_for() -> None:
    assert not any("usage" in chunk for chunk in parsed(RUN))
    *chunks, last = parsed(RUN, with_usage=True)
    assert [chunk["usage"] for chunk in chunks] == [None, None, None]
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}


def test_scores_are_there_only_when_asked_for() -> None:
    assert all(chunk["choices"][0]["logprobs"] is None for chunk in parsed(RUN))
    content = parsed(RUN, with_logprobs=True)[1]["choices"][0]["logprobs"]
    unlikely = {"token": "<e>", "logprob": -9999.0, "bytes": None}
    entry = {"token": "é", "logprob": -0.25, "bytes": [195, 169]}
    assert content == {
        "content": [{**entry, "top_logprobs": [unlikely]}],
        "refusal": None,
    }


def test_a_ping_is_a_comment() -> None:
    assert openai.OpenAIFrames().feed(Ping()) == [b": ping\n\n"]


def test_a_failure_is_an_error_object_and_the_end() -> None:
    problem = Problem(500, "broke", Kind.SERVER, code="engine_error")
    error, done = openai.OpenAIFrames().feed(Failed(problem))
    assert json.loads(error.removeprefix(b"data: ")) == openai.error_body(problem)
    assert done == b"data: [DONE]\n\n"


def test_everything_is_ascii() -> None:
    assert b"".join(openai.frames(RUN)).isascii()


def test_a_whole_answer_joins_its_pieces() -> None:
    pieces = [TextPiece("H", (SCORE,)), TextPiece("é", (SCORE,))]
    body = openai.completion(STARTED, pieces, ENDED, with_logprobs=True)
    assert body["choices"][0]["message"]["content"] == "Hé"
    assert len(body["choices"][0]["logprobs"]["content"]) == 2
    plain = openai.completion(STARTED, pieces, ENDED)
    assert plain["choices"][0]["logprobs"] is None


def test_models_are_listed_as_cards() -> None:
    body = openai.model_list(["a", "b"], 5)
    assert body["data"][1] == openai.model_card("b", 5)
    assert body["object"] == "list"


def test_a_refusal_has_all_four_fields() -> None:
    assert openai.error_body(Problem(400, "no")) == {
        "error": {
            "message": "no",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }


@pytest.mark.parametrize("finish", FinishReason)
def test_every_reason_to_finish_has_a_word(finish: FinishReason) -> None:
    (*_, last) = parsed([STARTED, Ended(finish, Usage(1, 1))])
    assert last["choices"][0]["finish_reason"] == openai.FINISH_REASONS[finish]


@pytest.mark.parametrize("kind", Kind)
def test_a_refusal_reads_back_as_it_was_written(kind: Kind) -> None:
    problem = Problem(409, "é", kind, code="c", param="p")
    body = json.dumps(openai.error_body(problem)).encode()
    assert openai.read_error(409, body) == problem


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[1]", b"{}", b'{"error":"x"}', b'{"error":{}}', b"[" * 99_999],
)
def test_what_is_no_error_body_reads_as_none(body: bytes) -> None:
    assert openai.read_error(500, body) is None


def test_an_error_body_of_other_types_keeps_what_is_text() -> None:
    body = b'{"error":{"message":"m","type":[1],"code":5,"param":null}}'
    assert openai.read_error(500, body) == Problem(500, "m", Kind.SERVER)

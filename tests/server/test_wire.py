"""The bytes of the wire, since no client notices when `[DONE]` is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labkit.text.sse import SSEParser
from tests.server.conftest import Start
from tests.support.running import CHAT, Reply, RunningServer, read_all

URL = "/v1/chat/completions"


def data_of(reply: Reply) -> list[str]:
    return [event.data for event in SSEParser().feed(reply.body)]


def chunks_of(reply: Reply) -> list[dict[str, Any]]:
    *chunks, done = data_of(reply)
    assert done == "[DONE]"
    return [json.loads(chunk) for chunk in chunks]


def test_a_stream_is_these_bytes(scripted: Start) -> None:
    server, _ = scripted("Hé", "!")
    reply = server.chat(stream=True)
    run, now = reply.headers["x-request-id"], chunks_of(reply)[0]["created"]
    head = (
        f'data: {{"id":"{run}","object":"chat.completion.chunk","created":{now},'
        '"model":"scripted","choices":[{"index":0,"delta":'
    )
    rests = (
        '{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}',
        '{"content":"H\\u00e9"},"logprobs":null,"finish_reason":null}]}',
        '{"content":"!"},"logprobs":null,"finish_reason":null}]}',
        '{},"logprobs":null,"finish_reason":"stop"}]}',
    )
    expected = "".join(f"{head}{rest}\n\n" for rest in rests) + "data: [DONE]\n\n"
    assert reply.body.decode("ascii") == expected


def test_a_whole_answer_is_this_json(scripted: Start) -> None:
    server, _ = scripted("Hé", "!")
    reply = server.chat()
    message = {"role": "assistant", "content": "Hé!", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = reply.json
    assert body["choices"] == [choice]
    assert body["object"] == "chat.completion"
    assert body["id"] == reply.headers["x-request-id"]
    assert body["usage"] == {
        "prompt_tokens": 8,
        "completion_tokens": 2,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def test_usage_is_null_in_every_chunk_but_the_last(scripted: Start) -> None:
    server, _ = scripted("a", "b")
    reply = server.chat(stream=True, stream_options={"include_usage": True})
    *chunks, last = chunks_of(reply)
    assert [chunk["usage"] for chunk in chunks] == [None] * 4
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 10


def test_nothing_but_data_lines_goes_out(tiny_server: RunningServer) -> None:
    reply = tiny_server.chat(stream=True)
    frames = reply.body.decode("ascii").split("\n\n")
    assert frames[-1] == ""
    assert all(frame.startswith("data: ") for frame in frames[:-1])
    assert not any("\n" in frame for frame in frames)


def test_headers_keep_proxies_from_collecting_the_stream(scripted: Start) -> None:
    server, _ = scripted("a")
    headers = server.chat(stream=True).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["server-timing"].startswith("parse;dur=")


def test_streamed_text_equals_the_whole_one_for_the_same_seed(
    tiny_server: RunningServer,
) -> None:
    asked = {"seed": 11, "max_tokens": 20}
    chunks = chunks_of(tiny_server.chat(**asked, stream=True))
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
    assert text == tiny_server.chat(**asked).json["choices"][0]["message"]["content"]


def test_scores_name_every_token_and_their_bytes_are_the_text(
    tiny_server: RunningServer,
) -> None:
    bias = {str(3 + byte): 100 for byte in b"abc"}
    asked = {"logprobs": True, "top_logprobs": 3, "logit_bias": bias}
    choice = tiny_server.chat(**asked).json["choices"][0]
    scores = choice["logprobs"]["content"]
    joined = b"".join(bytes(score["bytes"]) for score in scores)
    assert joined.decode() == choice["message"]["content"]
    assert [len(score["top_logprobs"]) for score in scores] == [3] * 4
    assert choice["logprobs"]["refusal"] is None


def test_scores_of_a_stream_are_those_of_the_whole_answer(
    tiny_server: RunningServer,
) -> None:
    asked = {"logprobs": True, "seed": 3, "max_tokens": 12}
    chunks = chunks_of(tiny_server.chat(**asked, stream=True))
    parts = [c["choices"][0]["logprobs"] for c in chunks]
    streamed = [entry for part in parts if part for entry in part["content"]]
    whole = tiny_server.chat(**asked).json["choices"][0]["logprobs"]["content"]
    assert [e["token"] for e in streamed] == [e["token"] for e in whole]


def test_values_without_a_logarithm_are_written_as_openai_writes_them(
    scripted: Start,
) -> None:
    server, _ = scripted("a")
    reply = server.chat(logprobs=True, top_logprobs=2)
    (score,) = reply.json["choices"][0]["logprobs"]["content"]
    unlikely = {"token": "<end>", "logprob": -9999.0, "bytes": None}
    assert score["top_logprobs"][1] == unlikely


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_token_has_a_status(
    stream: bool, scripted: Start
) -> None:
    server, _ = scripted("a")
    reply = server.chat(temperature=3, stream=stream)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"].startswith("chatcmpl-")


def test_extensions_reach_the_sampler(scripted: Start) -> None:
    server, backend = scripted("a")
    asked = {"top_k": 5, "min_p": 0.1, "typical_p": 0.9, "ignore_eos": True}
    reply = server.chat(**asked, repetition_penalty=1.2, user="me", store=False)
    params = backend.params[reply.json["id"]]
    assert (params.top_k, params.min_p, params.typical_p) == (5, 0.1, 0.9)
    assert (params.ignore_eos, params.repetition_penalty) == (True, 1.2)


def test_a_model_may_be_asked_for_by_its_alias(scripted: Start) -> None:
    server, _ = scripted("a")
    assert server.chat(model="a/b").json["model"] == "scripted"
    assert server.get("/v1/models/a%2Fb").json["id"] == "a/b"
    assert server.get("/v1/models/other").status == 404


def test_a_body_may_come_in_chunks(scripted: Start) -> None:
    server, _ = scripted("a")
    body = json.dumps(CHAT).encode()
    head = server.head(b"", "Transfer-Encoding: chunked", "Connection: close")
    head = head.replace(b"Content-Length: 0\r\n", b"")
    with server.connect() as link:
        pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        link.sendall(head + pieces + b"0\r\n\r\n")
        answer = read_all(link)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_that_is_too_large_is_refused_in_the_error_shape(
    scripted: Start,
) -> None:
    server, _ = scripted("a", max_body_bytes=1000)
    reply = server.send("POST", URL, b'"' + b"x" * 5000 + b'"', {})
    assert (reply.status, reply.json["error"]["code"]) == (413, "request_too_large")


def test_an_unknown_place_and_a_wrong_method_are_refused_in_the_error_shape(
    scripted: Start,
) -> None:
    server, _ = scripted("a")
    assert server.get("/v1/nothing").json["error"]["code"] == "not_found"
    wrong = server.get(URL)
    assert (wrong.status, wrong.json["error"]["code"]) == (405, "method_not_allowed")


def test_bytes_that_are_not_http_are_refused_in_the_error_shape(
    scripted: Start,
) -> None:
    server, _ = scripted("a")
    with server.connect() as link:
        link.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = read_all(link)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"invalid_http"' in answer


def test_usage_says_how_much_of_the_prompt_was_cached(
    tiny_server: RunningServer,
) -> None:
    """Whole blocks of 16 tokens, streamed or not, and on the server's trace."""
    text = "a question that no other test has asked before"
    messages = [{"role": "user", "content": text}]
    replies = [tiny_server.chat(messages=messages) for _ in range(2)]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    last = chunks_of(tiny_server.chat(messages=messages, **options))[-1]
    usages = [*(reply.json["usage"] for reply in replies), last["usage"]]
    num_prompt = usages[0]["prompt_tokens"]
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in usages]
    shared = cached[0]  # the template's own head may be known from other tests
    assert shared < (num_prompt - 1) // 16 * 16
    assert cached == [shared, *[(num_prompt - 1) // 16 * 16] * 2]

"""Bodies are read strictly: ranges, pairs, unknown fields, numbers that are numbers."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.dialects.events import ApiError, Message, Role
from labkit.dialects.openai_body import to_chat

OBFUSCATION = "stream_options.include_obfuscation"
MINIMAL: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
}


def refused(**fields: Any) -> tuple[str | None, str | None]:
    with pytest.raises(ApiError) as caught:
        to_chat({**MINIMAL, **fields})
    problem = caught.value.problem
    assert problem.status == 400
    return problem.param, problem.code


def test_a_minimal_body_gets_defaults_that_change_nothing() -> None:
    chat = to_chat(MINIMAL)
    assert chat.messages == (Message(Role.USER, "hi"),)
    assert (chat.max_tokens, chat.is_stream, chat.wants_usage) == (None, False, False)
    params = chat.sampling
    assert (params.temperature, params.top_p, params.top_k) == (1.0, 1.0, None)
    assert (params.seed, params.stop, params.top_logprobs) == (None, (), None)


def test_null_is_the_same_as_absent() -> None:
    nulls = dict.fromkeys(("stop", "seed", "tools", "stream", "top_logprobs", "n"))
    message = {"role": "user", "content": "hi", "refusal": None}
    assert to_chat({**MINIMAL, **nulls, "messages": [message]}) == to_chat(MINIMAL)


def test_content_may_be_parts_of_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    chat = to_chat({**MINIMAL, "messages": [{"role": "user", "content": parts}]})
    assert chat.messages[0].text == "ab"


def test_developer_is_openais_newer_word_for_system() -> None:
    chat = to_chat({**MINIMAL, "messages": [{"role": "developer", "content": "x"}]})
    assert chat.messages[0].role is Role.SYSTEM


def test_a_stop_string_may_stand_alone() -> None:
    assert to_chat({**MINIMAL, "stop": "x"}).sampling.stop == ("x",)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 7, "max_completion_tokens": 7}, 7),
    ],
)
def test_both_names_of_the_token_limit_work(
    fields: dict[str, int], expected: int
) -> None:
    assert to_chat({**MINIMAL, **fields}).max_tokens == expected


def test_logprobs_without_a_number_ask_for_no_alternatives() -> None:
    assert to_chat({**MINIMAL, "logprobs": True}).sampling.top_logprobs == 0
    asked = {"logprobs": True, "top_logprobs": 20}
    assert to_chat({**MINIMAL, **asked}).sampling.top_logprobs == 20


def test_bias_keys_are_token_ids() -> None:
    chat = to_chat({**MINIMAL, "logit_bias": {"12": -100, "7": 1.5}})
    assert chat.sampling.logit_bias == ((12, -100.0), (7, 1.5))


def test_an_answer_given_back_as_history_is_taken() -> None:
    told = {"role": "assistant", "content": "a", "refusal": None, "tool_calls": None}
    assert to_chat({**MINIMAL, "messages": [told]}).messages[0].role is Role.ASSISTANT


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"٣": 1}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"max_tokens": 2.0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"temperature": True}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"n": 1.0}, "n"),
        ({"store": 0}, "store"),
        ({"stream": True, "stream_options": {"include_obfuscation": 0}}, OBFUSCATION),
        (
            {"stream": True, "stream_options": {"include_obfuscation": True}},
            OBFUSCATION,
        ),
        ({"logit_bias": {"5": 1, "05": 100}}, "logit_bias"),
        ({"logit_bias": {str(i): 1 for i in range(1025)}}, "logit_bias"),
        ({"top_k": -2}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"prompt_cache_key": 5}, "prompt_cache_key"),
        (
            {"messages": [{"role": "user", "content": "x", "name": 5}]},
            "messages[0].name",
        ),
        ({"store": True}, "store"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ],
)
def test_a_value_that_cannot_work_names_its_field(
    fields: dict[str, Any], param: str
) -> None:
    assert refused(**fields) == (param, "invalid_value")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"best_of": True}, "best_of"),
        ({"min_tokens": 3}, "min_tokens"),
        ({"audio": {"voice": "x" * 99}}, "audio"),
        ({"stream_options": {"x": 1}, "stream": True}, "stream_options.x"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls",
        ),
    ],
)
def test_a_field_that_is_not_supported_is_refused_by_name(
    fields: dict[str, Any], param: str
) -> None:
    assert refused(**fields) == (param, "unsupported_parameter")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ApiError) as caught:
        to_chat({"model": "m"})
    problem = caught.value.problem
    assert (problem.param, problem.code) == ("messages", "missing_required_parameter")


def test_a_body_that_is_a_list_is_refused() -> None:
    with pytest.raises(ApiError):
        to_chat([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "text"}},
        {"tools": [], "tool_choice": "none", "parallel_tool_calls": True},
        {"tool_choice": "auto", "parallel_tool_calls": False},
        {"service_tier": "auto"},
        {"modalities": ["text"]},
        {"prompt_cache_key": "a", "safety_identifier": "b", "user": "c"},
        {"top_k": 0},
        {"top_k": -1},
        {"n": 1, "store": False, "logit_bias": {}, "stop": []},
        {"top_logprobs": 0},
        {"stream_options": {"include_usage": False, "include_obfuscation": False}},
        {"best_of": 1, "length_penalty": 1, "skip_special_tokens": True},
    ],
    ids=str,
)
def test_a_value_that_asks_for_what_happens_anyway_is_taken(
    fields: dict[str, Any],
) -> None:
    assert to_chat({**MINIMAL, **fields}) == to_chat(MINIMAL)


def test_a_message_may_have_a_name() -> None:
    message = {"role": "user", "content": "hi", "name": "Jo"}
    assert to_chat({**MINIMAL, "messages": [message]}) == to_chat(MINIMAL)


@pytest.mark.parametrize("content", [{"content": None}, {}, {"content": ""}])
def test_an_empty_answer_may_be_given_back(content: dict[str, Any]) -> None:
    told = {"role": "assistant", **content, "annotations": [], "tool_calls": []}
    chat = to_chat({**MINIMAL, "messages": [*MINIMAL["messages"], told]})
    assert chat.messages[1] == Message(Role.ASSISTANT, "")


def test_a_question_without_content_is_refused() -> None:
    messages = [{"role": "user", "content": None}]
    expected = ("messages[0].content", "missing_required_parameter")
    assert refused(messages=messages) == expected


def test_a_refused_value_is_named_with_its_field() -> None:
    with pytest.raises(ApiError, match=r"tool_choice: .*'required'; leave it out"):
        to_chat({**MINIMAL, "tool_choice": "required"})


def test_a_bias_for_1024_tokens_is_taken() -> None:
    bias = {str(i): 1 for i in range(1024)}
    assert len(to_chat({**MINIMAL, "logit_bias": bias}).sampling.logit_bias) == 1024


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": 0}, "max_tokens: 0 is too small; use 1 or more"),
        ({"max_tokens": 1.5}, "max_tokens: 1.5 is not a whole number"),
        ({"temperature": 3}, "temperature: 3 is too large; use 2.0 or less"),
        ({"stop": ["a"] * 5}, "stop: there are 5 entries; give 4 or fewer"),
        ({"store": True}, "store: this server only has false here"),
        ({"messages": ["hi"]}, "messages[0]: 'hi' is not an object"),
        ({"logprobs": 3}, "logprobs: 3 is neither true nor false"),
    ],
)
def test_a_refusal_says_the_value_and_the_remedy_in_our_words(fields, words) -> None:
    with pytest.raises(ApiError) as caught:
        to_chat({**MINIMAL, **fields})
    assert caught.value.problem.message == words

"""Every exception has one answer in the OpenAI shape."""

from __future__ import annotations

import pytest

from labkit.errors import InputError, NeverFits, QueueFull
from server.errors import MAX_MESSAGE, ApiError, Kind, Problem, problem_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NeverFits("long", param="messages"), 400, "context_length_exceeded"),
        (InputError("bad", param="stop"), 400, "invalid_value"),
        (QueueFull("full", retry_after_s=2.5), 429, "server_overloaded"),
        (ApiError(Problem(404, "none", code="x")), 404, "x"),
        (KeyError("secret"), 500, "internal_error"),
    ],
)
def test_each_error_has_its_status_and_code(
    error: Exception, status: int, code: str
) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)


def test_an_unexpected_error_keeps_its_text_to_itself() -> None:
    assert "secret" not in str(problem_of(KeyError("secret")).body())


def test_all_four_fields_are_there() -> None:
    assert Problem(400, "no").body() == {
        "error": {
            "message": "no",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }


def test_a_long_message_is_cut() -> None:
    text = Problem(400, "x" * 10_000).body()["error"]["message"]
    assert text is not None
    assert len(text) == MAX_MESSAGE


def test_waiting_times_are_whole_seconds_and_milliseconds() -> None:
    problem = Problem(429, "full", Kind.RATE_LIMIT, retry_after_s=0.0302)
    expected = {"Retry-After": "1", "Retry-After-Ms": "31"}
    assert problem.headers() == expected


def test_an_unread_body_closes_the_connection() -> None:
    assert Problem(413, "large").headers() == {"Connection": "close"}

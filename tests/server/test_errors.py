"""Every exception is one problem, and an unexpected one tells nothing."""

from __future__ import annotations

import pytest

from labkit.dialects.events import ApiError, Problem
from labkit.errors import InputError, NeverFits, QueueFull, TemplateFailed
from server.errors import problem_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NeverFits("long", param="messages"), 400, "context_length_exceeded"),
        (InputError("bad", param="stop"), 400, "invalid_value"),
        (TemplateFailed("its fault"), 500, "chat_template_failed"),
        (QueueFull("full", retry_after_s=2.5), 429, "server_overloaded"),
        (ApiError(Problem(404, "none", code="x")), 404, "x"),
        (KeyError("secret"), 500, "internal_error"),
    ],
)
def test_each_error_has_its_status_and_code(
    error: Exception, status: int, code: str
) -> None:
    problem = problem_of(error, "r1")
    assert (problem.status, problem.code) == (status, code)


def test_an_unexpected_error_is_in_the_log_and_not_in_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problem = problem_of(KeyError("secret"), "r1")
    assert "secret" not in str(problem)
    assert "r1" in problem.message
    (entry,) = caplog.records
    assert entry.getMessage() == "request r1 failed"
    assert "secret" in caplog.text


def test_a_failure_that_was_named_is_in_the_log_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problem_of(ApiError(Problem(500, "the engine failed on a step")), "r1")
    assert caplog.messages == ["request r1: the engine failed on a step"]


def test_a_refusal_is_nothing_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    problem_of(InputError("bad", param="stop"), "r1")
    problem_of(ApiError(Problem(503, "loading")), "r1")
    assert caplog.messages == []

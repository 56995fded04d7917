"""Every exception is one problem, and an unexpected one tells nothing."""

from __future__ import annotations

import pytest

from labkit.dialects.events import ApiError, Problem
from labkit.errors import InputError, NeverFits, QueueFull
from server.errors import problem_of


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
    assert "secret" not in str(problem_of(KeyError("secret")))

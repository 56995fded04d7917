"""Problems: what their headers tell a client, and how long their messages get."""

from __future__ import annotations

import pickle

import pytest

from labkit.dialects.events import MAX_MESSAGE, ApiError, Kind, Problem


def test_a_long_message_is_cut() -> None:
    assert len(Problem(400, "x" * 10_000).short_message) == MAX_MESSAGE
    assert Problem(400, "short").short_message == "short"


def test_waiting_times_are_whole_seconds_and_milliseconds() -> None:
    problem = Problem(429, "full", Kind.RATE_LIMIT, retry_after_s=0.0302)
    expected = {"Retry-After": "1", "Retry-After-Ms": "31"}
    assert problem.headers() == expected


@pytest.mark.parametrize(("wait_s", "told"), [(120.0, None), (120.5, "false")])
def test_a_wait_that_no_client_sits_out_is_said_not_to_be_retried(
    wait_s: float, told: str | None
) -> None:
    problem = Problem(429, "full", Kind.RATE_LIMIT, retry_after_s=wait_s)
    assert problem.headers().get("X-Should-Retry") == told


@pytest.mark.parametrize(("should_retry", "told"), [(True, "true"), (False, "false")])
def test_a_problem_may_overrule_what_its_status_says(
    should_retry: bool, told: str
) -> None:
    problem = Problem(500, "hopeless", Kind.SERVER, should_retry=should_retry)
    assert problem.headers() == {"X-Should-Retry": told}


def test_an_unread_body_closes_the_connection() -> None:
    assert Problem(413, "large").headers() == {"Connection": "close"}


def test_a_refusal_passes_between_processes_whole() -> None:
    error = ApiError(Problem(404, "none", code="x"))
    assert pickle.loads(pickle.dumps(error)).problem == error.problem

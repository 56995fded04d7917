"""Errors carry what a handler needs and one root catches them all."""

from __future__ import annotations

import pickle

import pytest

from labkit import errors
from labkit.errors import ConfigError, InputError, LabError, NeverFits, QueueFull


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_a_lab_error(name: str) -> None:
    assert issubclass(getattr(errors, name), LabError)


@pytest.mark.parametrize("name", errors.__all__)
def test_the_tree_in_the_docstring_names_every_error(name: str) -> None:
    assert name in str(errors.__doc__)


def test_an_input_error_names_the_field_at_fault() -> None:
    error = InputError("temperature=9: use 0 to 2", param="temperature")
    assert (str(error), error.param) == ("temperature=9: use 0 to 2", "temperature")


def test_an_input_error_may_be_about_no_one_field() -> None:
    assert InputError("the body is not JSON").param is None


def test_never_fits_is_an_input_error_since_waiting_cannot_help() -> None:
    assert isinstance(NeverFits("too long", param="messages"), InputError)


def test_a_full_queue_says_when_to_ask_again() -> None:
    assert QueueFull("full", retry_after_s=2.5).retry_after_s == 2.5


def test_errors_cross_to_another_process_with_all_that_they_know() -> None:
    unfit, full = (
        NeverFits("too long", param="messages"),
        QueueFull("f", retry_after_s=2),
    )
    sent = [pickle.loads(pickle.dumps(error)) for error in (unfit, full)]
    assert (type(sent[0]), str(sent[0]), sent[0].param) == (
        NeverFits,
        "too long",
        "messages",
    )
    assert (type(sent[1]), str(sent[1]), sent[1].retry_after_s) == (QueueFull, "f", 2)


def test_bad_values_are_value_errors_too() -> None:
    assert issubclass(ConfigError, ValueError)
    assert issubclass(InputError, ValueError)

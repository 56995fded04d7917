"""What is refused before it takes a place, in which words, and when to come back."""

from __future__ import annotations

import pytest

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine.request_registry import RequestRegistry, refuse_misfits
from labkit.engine.scheduler import Scheduler
from labkit.errors import InputError, NeverFits, QueueFull
from labkit.sequence import SamplingParams
from labkit.text.tokenizer import Tokenizer
from tests.support.rows import sequence
from tests.support.tiny import byte_tokenizer_spec

PARAMS = SamplingParams()
CONFIG = EngineConfig(max_context=1000, max_waiting=0, max_running=2)


def registry_of(scheduler: Scheduler) -> RequestRegistry:
    tokenizer = Tokenizer.from_spec(byte_tokenizer_spec())
    return RequestRegistry(scheduler, tokenizer, 300, FakeClock(), None)


def refusal(registry: RequestRegistry) -> QueueFull:
    with pytest.raises(QueueFull) as caught:
        registry.require_room(3)
    return caught.value


def test_mean_follows_the_steps_slowly() -> None:
    registry = registry_of(Scheduler(CONFIG))
    registry.note_duration(1.0)
    registry.note_duration(2.0)
    assert registry.mean_step_s == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("step_s", "wait_s"), [(None, 1.0), (0.001, 1.0), (0.5, 5.0), (30.0, 60.0)]
)
def test_wait_is_the_first_end_within_bounds(
    step_s: float | None, wait_s: float
) -> None:
    """Two run, with 10 and 200 tokens to go."""
    scheduler = Scheduler(CONFIG)
    registry = registry_of(scheduler)
    scheduler.add(sequence([1], name="a", max_tokens=200))
    scheduler.add(sequence([1], name="b", max_tokens=10))
    scheduler.plan()
    if step_s is not None:
        registry.note_duration(step_s)
    assert refusal(registry).retry_after_s == wait_s


def test_refusal_gives_the_numbers() -> None:
    scheduler = Scheduler(CONFIG)
    scheduler.add(sequence([1]))
    words = "1 requests wait already, 0 run: try again in 1 s"
    assert str(refusal(registry_of(scheduler))) == words


def test_prompt_that_leaves_room_for_one_token_is_let_in() -> None:
    refuse_misfits([0] * 9, PARAMS, vocab_size=5, max_context=10)


def test_prompt_as_long_as_the_context_never_fits_and_hears_the_numbers() -> None:
    with pytest.raises(NeverFits, match=r"has 10 tokens.*room for 10.*to 9 or") as at:
        refuse_misfits([0] * 10, PARAMS, vocab_size=5, max_context=10)
    assert at.value.param == "messages"


@pytest.mark.parametrize(
    ("prompt", "params", "param"),
    [
        ([], PARAMS, "messages"),
        ([0, 5], PARAMS, "messages"),
        ([-1], PARAMS, "messages"),
        ([0], SamplingParams(logit_bias=((5, 1.0),)), "logit_bias"),
    ],
)
def test_bad_ids_are_refused_by_field(
    prompt: list[int], params: SamplingParams, param: str
) -> None:
    with pytest.raises(InputError) as at:
        refuse_misfits(prompt, params, vocab_size=5, max_context=10)
    assert at.value.param == param

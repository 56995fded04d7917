"""Records are frozen, comparable and survive a trip through JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass

import pytest

from labkit import records
from labkit.records import Faults, Layer, TokenEvent, Usage

KINDS = [getattr(records, name) for name in records.__all__]
DATACLASSES = [kind for kind in KINDS if is_dataclass(kind)]


def test_there_are_twelve_layers_in_the_books_order() -> None:
    assert [layer.chapter for layer in Layer] == list(range(1, 13))
    assert (Layer.CLIENT.chapter, Layer.STREAMING.chapter) == (1, 10)


@pytest.mark.parametrize("kind", DATACLASSES)
def test_records_are_frozen_and_have_slots(kind: type) -> None:
    assert kind.__dataclass_params__.frozen
    assert "__dict__" not in dir(kind)


def test_a_record_cannot_be_edited() -> None:
    with pytest.raises(FrozenInstanceError):
        Usage(1, 2).prompt_tokens = 3  # type: ignore[misc]


def test_cached_tokens_are_part_of_the_prompt() -> None:
    assert (
        Usage(prompt_tokens=34, completion_tokens=9, cached_tokens=32).total_tokens
        == 43
    )


def test_an_event_becomes_json() -> None:
    event = TokenEvent("r1", step=3, index=0, token_id=5, text="é", time_s=0.5)
    assert json.loads(json.dumps(asdict(event)))["text"] == "é"


def test_faults_do_nothing_by_default() -> None:
    neutral = {"chunk_bytes": None, "split_utf8": False, "coalesce": 1, "stall_s": 0.0}
    given = {f.name: f.default for f in fields(Faults)}
    assert neutral.items() <= given.items()

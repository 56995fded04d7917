"""Prompts are real text, each of them new, and the tasks are what they are called."""

from __future__ import annotations

from tests.bench.texts import (
    COPY_TASK,
    PASSAGE,
    QUESTIONS,
    Prompts,
    source_text,
    windows,
)


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def test_the_text_is_long_enough_for_2000_positions() -> None:
    assert len(source_text()) > 4 * 2_000


def test_windows_lie_apart_and_reach_from_first_to_last() -> None:
    assert windows(range(10), 4, 3) == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


def test_no_two_prompts_begin_alike() -> None:
    prompts = Prompts(letters)
    heads = [tuple(prompts.fresh(48)[:16]) for _ in range(200)]
    assert len(set(heads)) == 200


def test_a_prompt_longer_than_the_text_repeats_it() -> None:
    prompts = Prompts(letters)
    assert len(prompts.fresh(len(prompts.ids) + 7)) == len(prompts.ids) + 7


def test_every_question_differs_and_the_copy_task_repeats_itself() -> None:
    assert len(set(QUESTIONS)) == 32
    assert COPY_TASK.count(PASSAGE) == 3

"""Exercises of chapter 7, the cache: right answers and usual mistakes."""

from __future__ import annotations

from labkit.book.exercises import (
    AnyExercise,
    Case,
    Exercise,
    Mistake,
    OpenExercise,
    Requirement,
)
from labkit.labs.cache.eviction import (
    KeptBlock,
    Rule,
    chats,
    chats_and_documents,
    least_recent,
    replay,
)

__all__ = ["EXERCISES"]

BETTER = 1.4  # times the tokens that the least recently used rule finds
KEPT = (KeptBlock(3, 0), KeptBlock(1, 5), KeptBlock(2, 0))  # least recently used first
HIT_FIRST = (KeptBlock(1, 5), KeptBlock(3, 0))


def _finds_as_much_in_chats(rule: Rule) -> None:
    found, usual = replay(rule, chats()), replay(least_recent, chats())
    assert found >= usual, f"it finds {found:.1%} of their tokens, LRU {usual:.1%}."


def _finds_more_between_documents(rule: Rule) -> None:
    found = replay(rule, chats_and_documents())
    usual = replay(least_recent, chats_and_documents())
    assert found >= BETTER * usual, (
        f"it finds {found:.1%} of all tokens, LRU {usual:.1%}; "
        f"{BETTER * usual:.1%} are wanted."
    )


EXERCISES: tuple[AnyExercise, ...] = (
    Exercise(
        name="7.1",
        task="bytes that a token of Qwen2.5-7B leaves in the cache, in 8 bits",
        value=28_672,
        unit="bytes",
        hint="a key and a value, in every layer, for every key/value head.",
        mistakes=(
            Mistake(57_344, "These are the bytes in 16 bits; here a number has 8."),
            Mistake(14_336, "This is a key or a value; a token leaves both."),
        ),
        cases=(  # (layers, key/value heads, head dimension, bytes a number)
            Case((28, 4, 128, 1), 28_672),
            Case((30, 3, 64, 2), 23_040),
            Case((30, 3, 64, 4), 46_080),
            Case((80, 8, 128, 2), 327_680),
        ),
    ),
    Exercise(
        name="7.2",
        task="tokens that are a hit when 700 are shared, in blocks of 32",
        value=672,
        unit="tokens",
        hint="whole steps only; nothing below the minimum.",
        mistakes=(
            Mistake(700, "These are the shared tokens; only whole blocks have a hash."),
            Mistake(704, "This is rounded up; only full blocks are shared."),
            Mistake(21, "These are blocks; the question asks for tokens."),
        ),
        cases=(  # (shared tokens, step, minimum)
            Case((700, 32, 0), 672),
            Case((531, 16, 0), 528),
            Case((531, 128, 1024), 0),
            Case((1500, 128, 1024), 1408),
            Case((15, 16, 0), 0),
        ),
    ),
    Exercise(
        name="7.3",
        task="sequences of 8,192 tokens beside Llama-3-8B in 90 % of an H200",
        value=103,
        unit="sequences",
        hint="divide 90 % of the memory, less the weights, by one sequence; a part of "
        "a sequence does not count.",
        mistakes=(
            Mistake(116, "This fills all of the memory; only 90 % of it may be used."),
            Mistake(118, "The weights have to fit too: take them off first."),
            Mistake(104, "A part of a sequence does not count: round down."),
        ),
        cases=(  # (bytes of memory, of weights, of cache a token; tokens a sequence)
            Case((141e9, 16_060_522_496, 131_072, 8192), 103),
            Case((80e9, 16_060_522_496, 131_072, 8192), 52),
            Case((80e9, 13_476_831_232, 524_288, 8192), 13),
        ),
    ),
    OpenExercise(
        name="7.4",
        task="an eviction rule that keeps what is asked for again and again",
        requirements=(
            Requirement(
                "It names one of the kept blocks every time",
                lambda rule: replay(rule, chats_and_documents(3)),
            ),
            Requirement(
                "Where chats follow each other, it finds as many tokens as LRU",
                _finds_as_much_in_chats,
            ),
            Requirement(
                f"Where documents come between, it finds {BETTER} times as many",
                _finds_more_between_documents,
            ),
        ),
        hint="a document's blocks are never found again, a system prompt's are.",
        mistakes=(
            Mistake(
                lambda rule: isinstance(rule(KEPT), KeptBlock),
                "Your rule returns a KeptBlock; return its number, `.block`.",
            ),
            Mistake(
                lambda rule: rule(HIT_FIRST) == 1 and rule(KEPT) == 3,
                "Your rule evicts the least recently used block, as LRU does.",
            ),
            Mistake(
                lambda rule: rule(KEPT) == 1,
                "Your rule gives up the block that was found most often.",
            ),
        ),
    ),
)

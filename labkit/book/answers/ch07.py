"""Exercises of chapter 7, the cache: right answers and usual mistakes."""

from __future__ import annotations

from labkit.book.exercises import AnyExercise, Case, Exercise, Mistake

__all__ = ["EXERCISES"]

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
        cases=(  # (bytes of memory, of weights, of cache a token; tokens a sequence)
            Case((141e9, 16_060_522_496, 131_072, 8192), 103),
            Case((80e9, 16_060_522_496, 131_072, 8192), 52),
            Case((80e9, 13_476_831_232, 524_288, 8192), 13),
        ),
    ),
)

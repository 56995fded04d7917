"""Exercises of chapter 10, streaming: right answers and usual mistakes."""

from __future__ import annotations

from labkit.book.exercises import AnyExercise, Case, Exercise

__all__ = ["EXERCISES"]

_HANGUL = "한글".encode()  # six bytes, three a character

EXERCISES: tuple[AnyExercise, ...] = (
    Exercise(
        name="10.1",
        task="the time from request to last token, in seconds",
        value=2.8,
        unit="s",
        hint="the first token costs TTFT, each of the other N - 1 costs TPOT.",
        cases=(  # (TTFT in s, tokens, TPOT in s)
            Case((0.8, 101, 0.02), 2.8),
            Case((0.5, 1, 0.02), 0.5),
            Case((0.25, 5, 0.1), 0.65),
        ),
    ),
    Exercise(
        name="10.2",
        task="the number of events that carry text",
        value=39,
        unit="events",
        hint="a token that ends inside a character has no text to send yet.",
        cases=(  # (bytes of each token,)
            Case(([b"a", b"b"],), 2),
            Case(([_HANGUL[:3], _HANGUL[3:]],), 2),
            Case(([_HANGUL[:2], _HANGUL[2:3], _HANGUL[3:]],), 2),
            Case(([_HANGUL[i : i + 1] for i in range(6)],), 2),
            Case(([b"a" + _HANGUL[:1], _HANGUL[1:4], _HANGUL[4:]],), 3),
        ),
    ),
    Exercise(
        name="10.3",
        task="the cost of parsing everything again at each of n chunks, in chunks",
        value=20_100,
        unit="chunk-parses",
        hint="chunk k makes you parse k chunks; add 1 + 2 + ... + n.",
        cases=(Case((1,), 1), Case((3,), 6), Case((200,), 20_100)),
    ),
)

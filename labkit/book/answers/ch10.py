"""Exercises of chapter 10, streaming: right answers and usual mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labkit.book.exercises import (
    AnyExercise,
    Case,
    Exercise,
    Mistake,
    OpenExercise,
    Requirement,
)
from labkit.text.detokenizer import StopMatcher, StreamDetokenizer

__all__ = ["EXERCISES"]

_HANGUL = "한글".encode()  # six bytes, three a character
_STOP = "\nUser:"
_PLAIN = "The letter r occurs 3 times 🍓.\nUse a loop.\n"  # no stop, many beginnings
_STOPPED = (  # text, stop, what may be shown
    ("Sure.\nUser: hi", _STOP, "Sure."),
    ("Sure.\nUSER: hi", _STOP, "Sure."),
    ("a\n\nuser:b", _STOP, "a\n"),
    ("İstanbul STOP it", "stop", "İstanbul "),  # its first letter is two in lower case
)


def _pieces(text: str) -> Iterator[tuple[str, ...]]:
    """The text whole, cut in two at every place, and one character at a time."""
    yield (text,)
    yield from ((text[:i], text[i:]) for i in range(1, len(text)))
    yield tuple(text)


def _shown(matcher: Any, pieces: tuple[str, ...]) -> str:
    return "".join(matcher.feed(piece) for piece in pieces) + str(matcher.flush())


def _passes_plain_text(answer: Any) -> None:
    for pieces in _pieces(_PLAIN):
        shown = _shown(answer([_STOP]), pieces)
        assert shown == _PLAIN, f"of {pieces!r} it shows {shown!r}"


def _stops_in_any_case(answer: Any) -> None:
    for text, stop, want in _STOPPED:
        for pieces in _pieces(text):
            shown = _shown(answer([stop]), pieces)
            seen = f"with the stop {stop!r}, of {pieces!r} it shows {shown!r}"
            assert shown == want, f"{seen}, not {want!r}"


def _is_silent_after_a_stop(answer: Any) -> None:
    matcher = answer([_STOP])
    matcher.feed("Sure.\nuser:")
    later = matcher.feed(" more") + matcher.flush()
    assert later == "", f"after the stop it shows {later!r}"


def _holds_no_more_than_it_must(answer: Any) -> None:
    """What may begin the stop, in any case, waits; everything else is out at once."""
    matcher, fed, shown = answer([_STOP]), "", ""
    for character in _PLAIN + "\nUS":
        fed += character
        shown += matcher.feed(character)
        ends = [n for n in range(len(_STOP)) if fed[-n:].lower() == _STOP[:n].lower()]
        due = fed[: len(fed) - max(ends, default=0)]
        assert shown == due, f"after {fed[-8:]!r} it has shown {shown[-8:]!r} so far"


def _follows_a_detokenizer(answer: Any) -> None:
    """One token a byte, so that characters arrive in pieces too."""
    detokenizer = StreamDetokenizer(lambda token_id: bytes([token_id]))
    matcher = answer(["🛑 Stop"])
    data = "한글 🍓 go 🛑 stop it".encode()
    shown = "".join(matcher.feed(detokenizer.feed(byte)) for byte in data)
    assert shown == "한글 🍓 go ", f"it shows {shown!r}"


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
        mistakes=(
            Mistake(2.82, "The first token is in TTFT already: count one TPOT less."),
            Mistake(2.0, "That is the time after the first token: add TTFT."),
            Mistake(2.02, "That leaves out TTFT, and the first token has no TPOT."),
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
        mistakes=(
            Mistake(85, "That counts tokens: some of them complete no character."),
            Mistake(46, "That counts the tokens which bring no text."),
        ),
    ),
    Exercise(
        name="10.3",
        task="the chunks that are parsed when finished blocks of 8 chunks are kept",
        value=900,
        unit="chunks",
        hint="within a block, its chunk k makes the renderer parse k chunks. Add "
        "1 + 2 + ... + 8 for each finished block, and what the open one has cost.",
        cases=(Case((1,), 1), Case((3,), 6), Case((12,), 46), Case((200,), 900)),
        mistakes=(
            Mistake(200, "The open block is parsed again with each of its chunks."),
            Mistake(20_100, "That parses everything again: finished blocks are kept."),
            Mistake(1_600, "Only its last chunk makes a block cost 8 chunks."),
        ),
    ),
    OpenExercise(
        name="10.4",
        task="a stop matcher that stops at a stop string in upper or lower case",
        hint="Derive it from StopMatcher and compare texts of one case. Change the "
        "case one character at a time: a few characters become two, and then "
        "positions in the changed text are no longer positions in the text.",
        requirements=(
            Requirement(
                "Text without a stop string comes out unchanged, however it is cut",
                _passes_plain_text,
            ),
            Requirement(
                "A stop string in any case ends the text and none of it is shown",
                _stops_in_any_case,
            ),
            Requirement(
                "Nothing is shown after the stop string", _is_silent_after_a_stop
            ),
            Requirement(
                "Only text that may still begin a stop string is held back",
                _holds_no_more_than_it_must,
            ),
            Requirement(
                "It works behind the engine's detokenizer, one byte a token",
                _follows_a_detokenizer,
            ),
        ),
        mistakes=(
            Mistake(
                lambda answer: not callable(answer),
                "Give a class, such as class AnyCase(StopMatcher), and not its object.",
            ),
            Mistake(
                lambda answer: answer is StopMatcher,
                "That is the engine's own matcher, which tells upper from lower case.",
            ),
        ),
    ),
)

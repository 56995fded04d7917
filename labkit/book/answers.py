"""The exercises of every chapter with their right answers, as data.

Chapter and checks read the same records; the sums behind the values are in the tests.
"""

from __future__ import annotations

from labkit.book.exercises import Case, Exercise
from labkit.config import reject_unknown

__all__ = ["EXERCISES", "exercise"]

_HANGUL = "한글".encode()  # six bytes, three a character

EXERCISES = (
    Exercise(
        name="7.1",
        task="bytes that a token of SmolLM2 leaves in the cache, in bfloat16",
        value=23_040,
        unit="bytes",
        hint="a key and a value, in every layer, for every key/value head.",
        cases=(  # (layers, key/value heads, head dimension, bytes a number)
            Case((30, 3, 64, 2), 23_040),
            Case((30, 3, 64, 4), 46_080),
            Case((80, 8, 128, 2), 327_680),
        ),
    ),
    Exercise(
        name="7.2",
        task="tokens that are a hit when 531 are shared, in blocks of 16",
        value=528,
        unit="tokens",
        hint="whole steps only; nothing below the minimum.",
        cases=(  # (shared tokens, step, minimum)
            Case((531, 16, 0), 528),
            Case((531, 128, 1024), 0),
            Case((1500, 128, 1024), 1408),
            Case((15, 16, 0), 0),
        ),
    ),
    Exercise(
        name="7.3",
        task="sequences of 8,192 tokens beside Llama-3-8B in 90 % of an H100",
        value=52,
        unit="sequences",
        hint="take the weights from 90 % of the memory, divide by one sequence.",
        cases=(  # (bytes of memory, of weights, of cache a token; tokens a sequence)
            Case((80e9, 16_060_522_496, 131_072, 8192), 52),
            Case((141e9, 16_060_522_496, 131_072, 8192), 103),
            Case((80e9, 13_476_831_232, 524_288, 8192), 13),
        ),
    ),
    Exercise(
        name="8.1",
        task="the ridge of the H100 SXM, in whole FLOP for each byte",
        value=295,
        unit="FLOP/B",
        hint="divide what it can compute in a second by what it can read, then round.",
        cases=(  # (FLOP/s, bytes/s)
            Case((989.4e12, 3.35e12), 295),
            Case((312e12, 2.039e12), 153),
            Case((989.4e12, 4.8e12), 206),
        ),
    ),
    Exercise(
        name="8.2",
        task="the least time of a token decoded alone, in ms to two places",
        value=3.35,
        unit="ms",
        hint="every weight is read once; parameters x bytes each / bytes a second.",
        cases=(  # (parameters, bytes each, bytes/s)
            Case((8_030_261_248, 2, 4.8e12), 3.35),
            Case((8_030_261_248, 2, 3.35e12), 4.79),
            Case((8_030_261_248, 2, 2.039e12), 7.88),
        ),
    ),
    Exercise(
        name="8.3",
        task="tokens a pass gives when guesses stand with 0.8 and four are made",
        value=3.3616,
        unit="tokens",
        hint="1 for certain, 0.8 for the first guess, 0.8² for the second, and so on.",
        cases=(  # (chance, guesses ahead)
            Case((0.8, 4), 3.3616),
            Case((0.8, 1), 1.8),
            Case((0.5, 8), 1.99609375),
        ),
    ),
    Exercise(
        name="9.1",
        task="tokens that survive top-p .75 when temperature 2 comes first",
        value=3,
        unit="tokens",
        hint="heating turns a share p into p ** (1 / T); then make them add up to 1.",
        cases=(  # (shares, temperature, top_p, does the temperature come first?)
            Case(([0.5, 0.3, 0.15, 0.05], 2.0, 0.75, True), 3),
            Case(([0.5, 0.3, 0.15, 0.05], 2.0, 0.75, False), 2),
            Case(([0.7, 0.2, 0.1], 1.0, 0.8, True), 2),
        ),
    ),
    Exercise(
        name="9.2",
        task="tokens that survive top-k 2 and then top-p .5",
        value=1,
        unit="tokens",
        hint="what top-k leaves is made to add up to 1 again; jointly it is not.",
        cases=(  # (shares, top_k, top_p, are both judged on the first distribution?)
            Case(([0.4, 0.3, 0.2, 0.1], 2, 0.5, False), 1),
            Case(([0.4, 0.3, 0.2, 0.1], 2, 0.5, True), 2),
            Case(([0.4, 0.3, 0.2, 0.1], 3, 0.9, False), 3),
        ),
    ),
    Exercise(
        name="9.3",
        task="the first token's share after the penalty, 10 added before, to 3 places",
        value=0.131,
        unit="of the mass",
        hint="the penalty divides a logit above 0, whatever its zero happens to be.",
        cases=(  # (logits, penalty on the first, constant added to all before)
            Case(([2.0, 1.0, -1.0], 1.3, 0.0), 0.601),
            Case(([2.0, 1.0, -1.0], 1.3, 10.0), 0.131),
            Case(([2.0, 1.0, -1.0], 1.0, 10.0), 0.705),
        ),
    ),
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


def exercise(name: str) -> Exercise:
    """The exercise called `name`; a name that is not there is a `ConfigError`."""
    known = {e.name: e for e in EXERCISES}
    reject_unknown([name], known, "The book's list of exercises")
    return known[name]

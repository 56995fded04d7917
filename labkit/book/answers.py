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
        task="bytes that a token of Qwen2.5-7B leaves in the cache, in 8 bits",
        value=28_672,
        unit="bytes",
        hint="a key and a value, in every layer, for every key/value head.",
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
        hint="every weight is read once: parameters x bytes each / bytes a second; "
        "in milliseconds, rounded to two places.",
        tolerance=0.005,
        cases=(  # (parameters, bytes each, bytes/s)
            Case((8_030_261_248, 2, 4.8e12), 3.35),
            Case((8_030_261_248, 2, 3.35e12), 4.79),
            Case((8_030_261_248, 2, 2.039e12), 7.88),
        ),
    ),
    Exercise(
        name="8.3",
        task="the largest chunk that keeps a gap of 50 ms, beside four streams",
        value=96,
        unit="tokens",
        hint="promise / token_ms tokens fit into a step; the streams take theirs "
        "first. No step is shorter than read_ms, and no chunk is below 0.",
        cases=(  # (promise_ms, read_ms, token_ms, streams)
            Case((50.0, 2.0, 0.5, 4), 96),
            Case((20.0, 2.0, 0.25, 64), 16),
            Case((1.0, 2.0, 0.0625, 4), 0),
            Case((3.0, 2.0, 0.5, 8), 0),
        ),
    ),
    Exercise(
        name="9.1",
        task="tokens that survive top-p .85 when temperature 2 comes first",
        value=4,
        unit="tokens",
        hint="heating turns a share p into p ** (1 / T); then make them add up to 1.",
        cases=(  # (shares, temperature, top_p, does the temperature come first?)
            Case(([0.6, 0.2, 0.1, 0.06, 0.04], 2.0, 0.85, True), 4),
            Case(([0.6, 0.2, 0.1, 0.06, 0.04], 2.0, 0.85, False), 3),
            Case(([0.5, 0.3, 0.15, 0.05], 2.0, 0.75, False), 2),
            Case(([0.7, 0.2, 0.1], 1.0, 0.8, True), 2),
        ),
    ),
    Exercise(
        name="9.2",
        task="tokens that survive top-k 3 and then top-p .7",
        value=2,
        unit="tokens",
        hint="what top-k leaves is made to add up to 1 again; jointly it is not.",
        cases=(  # (shares, top_k, top_p, are both judged on the first distribution?)
            Case(([0.35, 0.25, 0.2, 0.15, 0.05], 3, 0.7, False), 2),
            Case(([0.35, 0.25, 0.2, 0.15, 0.05], 3, 0.7, True), 3),
            Case(([0.4, 0.3, 0.2, 0.1], 2, 0.5, True), 2),
            Case(([0.4, 0.3, 0.2, 0.1], 3, 0.9, False), 3),
        ),
    ),
    Exercise(
        name="9.3",
        task="the first token's share after the penalty, 6 added before, to 3 places",
        value=0.348,
        unit="of the mass",
        hint="the penalty divides a logit above 0 and multiplies one below it.",
        cases=(  # (logits, penalty on the first, constant added to all before)
            Case(([3.0, 2.0, 0.0], 1.2, 6.0), 0.348),
            Case(([3.0, 2.0, 0.0], 1.2, -5.0), 0.616),
            Case(([2.0, 1.0, -1.0], 1.3, 0.0), 0.601),
            Case(([2.0, 1.0, -1.0], 1.0, 10.0), 0.705),
        ),
        tolerance=0.0005,
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

"""Two requests: the first token and block that differ, why, and what the miss costs.

The page compares any two prompts that are pasted in, or the reader's own with the one
before it; *Run both* measures them on a real engine, and what was measured stays with
its texts. Prices come from a dated card. It computes no tokens and no times itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from labkit.config import reject_unknown
from labkit.errors import ConfigError, LabError
from labkit.figures.drawings import Table
from labkit.figures.prices import PriceCard
from labkit.widgets.base import LabWidget, Message
from labkit.widgets.prefix_cause import Cause, Miss, Prompt, compare, parted, table

__all__ = ["Measure", "MissTimes", "PrefixMissExplainer", "Words"]

REQUESTS = 1000  # that the price is told for
MAX_CHARS = 20_000
OWN = "your own"  # the name of prompts that are none of the examples
NOISE = 0.05  # of a prefill: a difference below this is not told from none


Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class MissTimes:
    """Prefill of the second prompt in three states of the cache."""

    cold_ms: float  # nothing is known
    second_ms: float  # the first prompt is known
    warm_ms: float  # the second itself is known
    cached: int  # tokens that the middle run took from the cache


@dataclass(frozen=True, slots=True)
class Words:
    """How prompts become tokens, tokens something to read, and chats prompts."""

    encode: Callable[[str], Sequence[int]]
    label: Callable[[int], str]
    render: Callable[[Messages], str] | None = None
    opening: str = ""  # the prompt with which the reader's first one is compared


Measure = Callable[[Sequence[int], Sequence[int]], MissTimes]


class PrefixMissExplainer(
    LabWidget, page="prefix_miss_explainer", parts=("prefix_strips", "prompt_box")
):
    """`PrefixMissExplainer(pairs, words, card, measure=probe.measure)`.

    `pairs` has two rendered prompts by the name of the example. `miss` and `times` are
    of the prompts that are shown, `times` None before `run()` has measured them;
    `of(name)` looks at an example without showing it.
    """

    hurried = frozenset({"run"})  # waits for the engine, so it must not hold the lock
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    status = traitlets.Unicode("idle").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    can_run = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        pairs: Mapping[str, tuple[str, str]],
        words: Words,
        card: PriceCard,
        measure: Measure | None = None,
        block_size: int = 16,
        **unknown: object,
    ) -> None:
        if not pairs:
            raise ConfigError("PrefixMissExplainer(pairs={}): give at least one")
        self._pairs, self._words, self._card = dict(pairs), words, card
        self._measure, self._block_size = measure, block_size
        self._times: dict[tuple[str, ...], MissTimes] = {}  # by the two texts
        self._miss: Miss | None = None
        self._asked = words.opening
        name = next(iter(pairs))
        self._own = tuple(pairs[name])  # what "your own" shows
        super().__init__(
            unknown,
            names=[*pairs, OWN],
            name=name,
            texts=list(pairs[name]),
            can_run=measure is not None,
        )
        self.observe(self._take, ["name"])
        self.observe(self._compare, ["texts"])
        self._compare()

    @property
    def miss(self) -> Miss:
        """The analysis of the two prompts that are shown."""
        assert self._miss is not None, "set by the constructor"
        return self._miss

    @property
    def times(self) -> MissTimes | None:
        """What was measured of the two prompts that are shown."""
        return self._times.get(tuple(self.texts))

    def of(self, name: str) -> Miss:
        """The analysis of an example; what is shown stays."""
        reject_unknown([name], self._pairs, "PrefixMissExplainer.of")
        return self._analysed(self._pairs[name])

    def show(self, name: str) -> Miss:
        """Choose an example; its analysis."""
        with self._lock:
            self.name = name
        return self.miss

    def run(self) -> MissTimes:
        """Measure the prompts that are shown."""
        if self._measure is None:
            raise ConfigError("this PrefixMissExplainer has no measure: give it one")
        if self.miss.cause is Cause.EMPTY:
            raise ConfigError("a prompt is empty: type or paste one, then run both")
        with self._lock:
            self.status = "running"
            texts, miss = tuple(self.texts), self.miss
        try:  # without the lock: the engine that measures has one of its own
            times = self._measure(miss.first.ids, miss.second.ids)
        finally:
            self.status = "idle"
        with self._lock:
            self._times[texts] = times
            self._draw()
            if tuple(self.texts) == texts:  # not where another pair is shown by now
                self.note = f"Measured: {self._measured(times)}"
        return times

    def ask(self, messages: Messages) -> None:
        """Compare the reader's own prompt with the one that was asked before it."""
        if self._words.render is None:
            raise ConfigError("this PrefixMissExplainer renders no chats: Words.render")
        asked = self._words.render(messages)
        with self._lock:
            self.texts = [self._asked, asked]
            self._asked = asked

    def record(self) -> Table:
        """The tokens round the first difference, and what the miss costs."""
        return table(self.miss, self._words.label, self._told())

    def handle(self, op: str, message: Message) -> None:
        """`run`: measure both; a refusal becomes a note."""
        if op != "run":
            return super().handle(op, message)
        try:
            self.run()
        except LabError as error:
            self.note = f"Nothing was run: {error}."
        return None

    @traitlets.validate("name")
    def _is_name(self, proposal: Any) -> str:
        known = [*self._pairs, OWN]
        reject_unknown([proposal["value"]], known, "PrefixMissExplainer.name")
        return str(proposal["value"])

    @traitlets.validate("texts")
    def _are_texts(self, proposal: Any) -> list[str]:
        texts = [str(text)[:MAX_CHARS] for text in proposal["value"]]
        if len(texts) != 2:
            raise ConfigError(f"texts has {len(texts)} prompts: give two")
        return texts

    def _take(self, _: object) -> None:
        self.texts = list(self._pairs.get(self.name, self._own))

    def _compare(self, _: object = None) -> None:
        """Analyse the texts, and name the example that they are, if they are one."""
        texts = tuple(self.texts)
        names = (name for name, pair in self._pairs.items() if tuple(pair) == texts)
        name = next(names, OWN)
        if name == OWN:
            self._own = texts
        self._miss, self.note = self._analysed(texts), ""
        self._draw()
        self.name = name

    def _analysed(self, texts: Sequence[str]) -> Miss:
        encode = self._words.encode
        first, second = (Prompt(t, tuple(encode(t)) if t else ()) for t in texts)
        return compare(first, second, self._block_size)

    def _told(self) -> str:
        """Money by the card, then milliseconds if there are any."""
        if self.times is None:
            return self._price()
        return f"{self._price()} Measured: {self._measured(self.times)}"

    def _measured(self, times: MissTimes) -> str:
        """What was measured, and what follows from it."""
        return (
            f"{times.cached:,} tokens of the second prompt came from the cache, and "
            f"its prefill took {times.second_ms:,.1f} ms; it takes "
            f"{times.cold_ms:,.1f} ms with an empty cache and {times.warm_ms:,.1f} ms "
            f"with all of it known. {_verdict(times)}"
        )

    def _price(self) -> str:
        card, count = self._card, len(self.miss.second.ids)
        if self.miss.cause is Cause.EMPTY:
            return "Without two prompts there is nothing to pay for."
        who = f"{card.model} (card of {card.date})"
        money = f"USD {card.lost(self.miss.missed) * REQUESTS:,.2f}"
        if card.caches(count):
            return f"{who} would charge {money} more for {REQUESTS:,} such requests."
        return (
            f"{who} caches prompts of {card.minimum_tokens:,} tokens or more, so this "
            f"one costs the same either way; if it were cached, {REQUESTS:,} such "
            f"requests would cost {money} more."
        )

    def _draw(self) -> None:
        miss, size = self.miss, self._block_size
        blocks = [
            [place < miss.hit // size for place in range(-(-len(p.ids) // size))]
            for p in (miss.first, miss.second)
        ]
        self.result = {
            **asdict(self.record()),
            "blocks": blocks,
            "parts_in": miss.parts_in,
            "marks": parted(miss.first.text, miss.second.text),
            "remedy": miss.remedy,
            "price": self._price(),
            "facts": self._facts(),
            "is_measured": self.times is not None,
        }

    def _facts(self) -> list[list[str]]:
        miss, times = self.miss, self.times
        told = f"{times.second_ms:,.1f} ms" if times else "run both"
        lost = _lost(times) if times else "run both"
        money = f"USD {self._card.lost(miss.missed) * REQUESTS:,.2f}"
        is_cached = self._card.caches(len(miss.second.ids))
        return [
            ["shared tokens", f"{miss.shared:,}"],
            ["hit", f"{miss.hit:,} of {len(miss.second.ids):,}"],
            ["hit rate", f"{miss.hit_rate:.1%}"],
            ["prefill", told],
            ["time lost", lost],
            [f"{REQUESTS:,} requests lose", money if is_cached else "0: too short"],
        ]


def _lost(times: MissTimes) -> str:
    lost_ms = times.second_ms - times.warm_ms
    is_noise = lost_ms < NOISE * times.cold_ms
    return "too little to measure" if is_noise else f"{lost_ms:,.1f} ms"


def _verdict(times: MissTimes) -> str:
    """Which of the three times explain the one that matters."""
    if times.second_ms > (1 + NOISE) * times.cold_ms:
        return (
            "What is in the cache cannot make a prefill slower, so the machine was "
            "busy with something else: run it again."
        )
    lost = _lost(times)
    return f"The miss costs {lost}."

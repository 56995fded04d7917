"""Finds the first token in which two prompts differ, and names the likely cause.

The functions are pure: texts and token ids in, a record out. The causes are those that
are known to lose cache hits; a difference that fits none of them is called other words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Any, Final

from labkit.figures.drawings import Table

__all__ = ["Cause", "Miss", "Prompt", "compare", "parted", "table"]

NEARBY: Final = 2  # tokens shown on each side of the difference
TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d\d(:\d\d)?( ?[AaPp]\.?[Mm]\.?)?|\b1[6-9]\d{8}(\d{3})?\b"
)
MARKS: Final = re.compile(
    r"<\|im_start\|>\w*|<\|start_header_id\|>\w*<\|end_header_id\|>|<\|[^|>]*\|>"
    r"|<</?SYS>>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>\w*"
)


class Cause(StrEnum):
    """What the first difference is part of."""

    EMPTY = "nothing to compare"
    SAME = "no difference"
    LONGER = "one goes on where the other ends"
    DOUBLED = "doubled beginning-of-text token"
    TIME = "timestamp"
    TOOLS = "tool order"
    KEYS = "order of JSON keys"
    TEMPLATE = "another chat template"
    BLANKS = "white space"
    WORDS = "other words"


REMEDIES: Final = {
    Cause.EMPTY: "Type or paste a prompt into the empty box.",
    Cause.SAME: "Nothing to mend: only the block of the last token, which is always "
    "computed, is not read.",
    Cause.LONGER: "Nothing to mend: that is what a prefix cache is for.",
    Cause.DOUBLED: "Let the template or the tokenizer add it, not both.",
    Cause.TIME: "Move it behind everything that stays the same, or drop the seconds.",
    Cause.TOOLS: "Sort tools by name before they are rendered.",
    Cause.KEYS: "Write JSON with sorted keys.",
    Cause.TEMPLATE: "Keep one template for as long as hits matter.",
    Cause.BLANKS: "Join parts of the prompt in one place, with fixed white space.",
    Cause.WORDS: "Put what changes behind what stays.",
}
LATE: Final = (
    "Nothing to mend: the difference comes so late that at most one block is computed "
    "anew."
)
UNPARTED: Final = (Cause.EMPTY, Cause.SAME, Cause.LONGER)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt and its token ids."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Miss:
    """How far two prompts agree, and what the second can take from a cache."""

    cause: Cause
    first: Prompt
    second: Prompt
    shared: int  # tokens, from the start
    block_size: int

    @property
    def hit(self) -> int:
        """Tokens of the second that lie in whole shared blocks."""
        return self._whole(self.shared)

    @property
    def possible(self) -> int:
        """Tokens that it could take if its whole prefix were known."""
        return self._whole(len(self.second.ids))

    @property
    def missed(self) -> int:
        """Tokens that are computed, and written, once more."""
        return self.possible - self.hit

    @property
    def hit_rate(self) -> float:
        """Share of the second prompt that is read, 0 to 1."""
        return self.hit / max(1, len(self.second.ids))

    @property
    def parts_in(self) -> int | None:
        """The block of the first token that differs; None where none does."""
        return None if self.cause in UNPARTED else self.shared // self.block_size

    @property
    def remedy(self) -> str:
        """What would save the hit, as far as there is anything to save."""
        is_late = self.parts_in is not None and self.missed <= self.block_size
        return LATE if is_late else REMEDIES[self.cause]

    def _whole(self, tokens: int) -> int:
        most = max(0, len(self.second.ids) - 1)  # the last token is always computed
        return min(tokens, most) // self.block_size * self.block_size


def compare(first: Prompt, second: Prompt, block_size: int) -> Miss:
    """Walk both to the first token that differs, and name the cause."""
    shared = _agreeing(first.ids, second.ids)
    return Miss(_cause(first, second), first, second, shared, block_size)


def parted(a: str, b: str) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Both texts as what they begin with, what differs, and what they end with."""
    start = _agreeing(a, b)
    end = _agreeing(a[start:][::-1], b[start:][::-1])
    return _cut(a, start, end), _cut(b, start, end)


def _agreeing(a: Sequence[Any], b: Sequence[Any]) -> int:
    pairs = zip(a, b, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _cut(text: str, start: int, end: int) -> tuple[str, str, str]:
    last = len(text) - end
    return text[:start], text[start:last], text[last:]


def _cause(first: Prompt, second: Prompt) -> Cause:
    a, b = first.text, second.text
    if not (a and b):
        return Cause.EMPTY
    if first.ids == second.ids:
        return Cause.SAME
    if _is_doubled(first.ids, second.ids) or _is_doubled(second.ids, first.ids):
        return Cause.DOUBLED
    if a.startswith(b) or b.startswith(a):
        return Cause.LONGER
    at = _agreeing(a, b)
    if _in_time(a, at) and _in_time(b, at):
        return Cause.TIME
    return _order(a, b, at) or _wording(a, b)


def _is_doubled(ids: Sequence[int], others: Sequence[int]) -> bool:
    """The others are the same with their first token twice."""
    return len(others) > 1 and others[0] == others[1] and [*others[1:]] == [*ids]


def _in_time(text: str, at: int) -> bool:
    return any(m.start() <= at <= m.end() for m in TIME.finditer(text))


def _order(a: str, b: str, at: int) -> Cause | None:
    """The same JSON, or the same lines of it, in another order."""
    for start in (m.start() for m in re.finditer(r"[\[{]", a[:at])):
        one, other = _json_at(a, start, at), _json_at(b, start, at)
        if one is None or other is None:
            continue
        if one == other:
            return Cause.KEYS
        if isinstance(one, list) and _bag(one) == _bag(other):
            return Cause.TOOLS
    if sorted(a.splitlines()) == sorted(b.splitlines()):
        line = a[: at + 1].splitlines()[-1]
        return Cause.TOOLS if line.lstrip().startswith(("{", "[", "-")) else None
    return None


def _json_at(text: str, start: int, at: int) -> Any:
    """The JSON value that begins at `start` and goes past `at`, else None."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return None
    return value if end > at else None


def _bag(items: Any) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def _wording(a: str, b: str) -> Cause:
    bare = [" ".join(MARKS.sub(" ", text).split()) for text in (a, b)]
    if bare[0] == bare[1]:
        is_marked = MARKS.findall(a) != MARKS.findall(b)
        return Cause.TEMPLATE if is_marked else Cause.BLANKS
    return Cause.WORDS


def table(miss: Miss, label: Callable[[int], str], told: str = "") -> Table:
    """The tokens round the first difference, side by side."""
    start = max(0, miss.shared - NEARBY)
    end = min(miss.shared + NEARBY + 1, max(len(miss.first.ids), len(miss.second.ids)))
    rows = []
    for place in range(start, end):
        texts = [
            label(p.ids[place]) if place < len(p.ids) else "(ended)"
            for p in (miss.first, miss.second)
        ]
        late = "too late" if place > miss.shared else "="  # its prefix differs
        sign = late if texts[0] == texts[1] else "≠"
        rows.append((str(place), str(place // miss.block_size), *texts, sign))
    head = ("token", "block", "first request", "second request", "match")
    return Table(_title(miss), f"{_alt(miss)} {told}".strip(), head, tuple(rows))


def _title(miss: Miss) -> str:
    name = f"{miss.cause[0].upper()}{miss.cause[1:]}"  # "order of JSON keys"
    if miss.cause is Cause.EMPTY:
        which = "second" if miss.first.text else "first"
        return f"{name}: the {which} prompt is empty"
    if miss.parts_in is None:
        return f"{name}: {miss.hit_rate:.1%} is a hit"
    return (
        f"{name}: token {miss.shared:,} differs, in block {miss.parts_in:,}; "
        f"{miss.hit_rate:.1%} is a hit"
    )


def _alt(miss: Miss) -> str:
    shared = "1 token is" if miss.shared == 1 else f"{miss.shared:,} tokens are"
    return (
        f"{shared} shared, {miss.hit:,} of them in whole blocks of {miss.block_size}; "
        f"the second request has {len(miss.second.ids):,}, of which {miss.possible:,} "
        f"could have been read. {miss.remedy}"
    )

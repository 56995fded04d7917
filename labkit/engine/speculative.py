"""Speculative decoding: cheap drafts of the next tokens, verified in one pass.

A drafter guesses, `sampling/verify.py` judges, and the speculator between them decides
how far ahead is worth it. A guess costs time at worst: whatever is drafted, the output
is that of plain decoding. The invariant is that only sequences whose every token but
the newest is computed are drafted for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from labkit.engine.plan import Plan
from labkit.sequence import Sequence

__all__ = ["TOKEN_COST", "DraftStats", "Drafter", "NgramDrafter", "Speculator"]

SIZES = (4, 3, 2)  # tokens of an n-gram that is looked up, longest first
TOKEN_COST = 0.25  # of a step, to judge one more token; two cores, packed weights
FREE_TOKENS = 12  # of a pass; beyond them a token more costs its full share
LARGEST_TRUST = 0.99
LEARNING = 1 / 3  # how far one verdict moves the trust
RECOVERY = 0.005  # how far a step without drafts moves it back


class Drafter(Protocol):
    """Guesses the next tokens of a sequence."""

    @property
    def cost(self) -> float:
        """Time to draft and verify one token, as a share of a plain step."""
        ...

    def propose(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """At most `most` drafts; one that computes gives placeholders here."""
        ...

    def fill(self, plan: Plan) -> Plan:
        """The plan with its placeholders replaced, as every token has a slot now."""
        ...

    def forget(self, request: str) -> None:
        """Drop what is known of a request that ended."""
        ...


@dataclass(slots=True)
class _Text:
    """A sequence's tokens, and the position after each n-gram in them."""

    ids: list[int] = field(default_factory=list)
    nexts: dict[tuple[int, ...], int] = field(default_factory=dict)

    def extend(self, new_ids: list[int]) -> None:
        ids, nexts = self.ids, self.nexts
        for token_id in new_ids:
            end = len(ids)
            for size in SIZES:
                if size <= end:
                    nexts[tuple(ids[end - size :])] = end
            ids.append(token_id)

    def follow(self, most: int) -> tuple[int, ...]:
        """What came after the longest known n-gram at the end, going round in a loop.

        The newest place wins; past the end of the text the guesses repeat themselves.
        """
        for size in SIZES:
            start = self.nexts.get(tuple(self.ids[-size:]))
            if start is not None:
                period = len(self.ids) - start
                return tuple(self.ids[start + i % period] for i in range(most))
        return ()


class NgramDrafter:
    """Prompt lookup: the text's newest n-gram goes on as it did before."""

    cost = TOKEN_COST

    def __init__(self) -> None:
        self._texts: dict[str, _Text] = {}

    def propose(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """What followed the sequence's last 4, 3 or 2 tokens when they last occurred.

        Only tokens that are new since the last call are looked at.
        """
        text = self._texts.setdefault(sequence.request, _Text())
        text.extend(sequence.ids_between(len(text.ids), sequence.num_tokens))
        return text.follow(most)

    def fill(self, plan: Plan) -> Plan:
        """Nothing is left to fill in."""
        return plan

    def forget(self, request: str) -> None:
        """Drop the index of a request that ended."""
        self._texts.pop(request, None)


@dataclass(frozen=True, slots=True)
class DraftStats:
    """What speculation drafted, and how much of it the model let stand."""

    num_verifies: int  # passes of a sequence that judged at least one draft
    num_drafted: int  # tokens
    num_accepted: int  # of these

    @property
    def acceptance(self) -> float | None:
        """Share of the drafted tokens that stood; None before the first."""
        return self.num_accepted / self.num_drafted if self.num_drafted else None

    @property
    def tokens_per_verify(self) -> float | None:
        """Tokens that a pass with drafts gave: those that stood, and one more."""
        n = self.num_verifies
        return (self.num_accepted + n) / n if n else None


class Speculator:
    """Decides how many tokens to draft for each request, and counts what stood.

    It keeps a trust for each request: a moving estimate of the chance that a drafted
    token stands. The i-th token ahead is drafted while trust**i exceeds what a token
    costs, so text that keeps refuting its drafts is soon left alone, and tried again
    now and then.
    """

    def __init__(self, drafter: Drafter, max_drafts: int) -> None:
        self._drafter = drafter
        self.max_drafts = max_drafts
        # enough for one draft: a text that repeats itself shows it soon
        self._first_trust = min((1 + 3 * drafter.cost) / 4, LARGEST_TRUST)
        self._trust: dict[str, float] = {}
        self._verifies = self._drafted = self._accepted = 0

    def propose(
        self, sequence: Sequence, room: int, num_running: int
    ) -> tuple[int, ...]:
        """Drafts for `sequence`, no more than `room`, one of `num_running` to go on."""
        most = min(room, self.max_drafts, FREE_TOKENS // max(1, num_running) - 1)
        trust = self._trust.setdefault(sequence.request, self._first_trust)
        worth = int(math.log(self._drafter.cost) / math.log(trust))
        if worth < 1:
            self._trust[sequence.request] += RECOVERY * (self._first_trust - trust)
        if min(most, worth) < 1:
            return ()
        return self._drafter.propose(sequence, min(most, worth))

    def fill(self, plan: Plan) -> Plan:
        """The plan with all of its drafts known."""
        return self._drafter.fill(plan)

    def settle(self, request: str, num_drafted: int, num_accepted: int) -> None:
        """Update the trust in a request's drafts once some were verified."""
        trust = self._trust[request]
        for _ in range(num_accepted):
            trust += LEARNING * (LARGEST_TRUST - trust)
        if num_accepted < num_drafted:
            trust -= LEARNING * trust
        self._trust[request] = trust
        self._verifies += 1
        self._drafted += num_drafted
        self._accepted += num_accepted

    def forget(self, request: str) -> None:
        """Drop what is known of a request that ended."""
        self._trust.pop(request, None)
        self._drafter.forget(request)

    def stats(self) -> DraftStats:
        """What was drafted so far and what became of it."""
        return DraftStats(self._verifies, self._drafted, self._accepted)

"""What drafted tokens are worth: tokens a pass, speed-up, and which tokens come out.

The formulas are those of Leviathan et al. (arXiv 2211.17192). `first_tokens` runs the
package's own rejection sampling many times and counts; it draws no conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from labkit.sampling.verify import reject

__all__ = [
    "FirstTokens",
    "chi_square",
    "draft_row",
    "first_tokens",
    "speed_up",
    "tokens_a_pass",
]


def tokens_a_pass(acceptance: float, ahead: int) -> float:
    """Expected tokens of one pass: 1 + a + a^2 + ... + a^ahead."""
    return sum(acceptance**place for place in range(ahead + 1))


def speed_up(
    acceptance: float, ahead: int, draft_cost: float, judge_cost: float = 1.0
) -> float:
    """Against plain decoding; both costs are in plain passes."""
    return tokens_a_pass(acceptance, ahead) / (ahead * draft_cost + judge_cost)


@dataclass(frozen=True, slots=True)
class FirstTokens:
    """How often each token came out, and how often the draft was accepted."""

    counts: tuple[int, ...]  # by token
    num_accepted: int

    @property
    def total(self) -> int:
        """How often it was drawn."""
        return sum(self.counts)

    @property
    def acceptance(self) -> float:
        """Share of the drafts that were accepted."""
        return self.num_accepted / self.total


def first_tokens(
    target: Sequence[float], drafter: Sequence[float], num: int, seed: int = 8
) -> FirstTokens:
    """Draft a token from `drafter`, judge it against `target`, `num` times."""
    p, q = torch.tensor(list(target)), torch.tensor(list(drafter))
    noise = torch.Generator().manual_seed(seed)
    drafts = torch.multinomial(q, num, replacement=True, generator=noise).tolist()
    counts, accepted = [0] * len(p), 0
    for place, draft in enumerate(drafts):
        is_accepted, other = reject(torch.stack([p, p]), q[None], [draft], place, 0)
        counts[draft if is_accepted else other] += 1
        accepted += is_accepted
    return FirstTokens(tuple(counts), accepted)


def chi_square(counts: Sequence[int], chances: Sequence[float]) -> float:
    """Pearson's statistic of `counts` against the distribution `chances`."""
    total = sum(counts)
    pairs = zip(counts, (total * chance for chance in chances), strict=True)
    return sum((count - want) ** 2 / want for count, want in pairs)


def draft_row(runs: Mapping[str, Mapping[str, Any]], ahead: int) -> tuple[str, ...]:
    """Drafted, accepted, tokens a step and speed-up of a recorded task, as texts."""
    plain, drafted = runs["0"], runs[str(ahead)]

    def rate(run: Mapping[str, Any]) -> float:
        return float((len(run["token_ids"]) - 1) / run["seconds"])

    tokens_a_step = (len(drafted["token_ids"]) - 1) / drafted["num_steps"]
    return (
        f"{drafted['num_drafted']}",
        f"{drafted['num_accepted']}",
        f"{tokens_a_step:.2f}",
        f"{rate(drafted) / rate(plain):.2f}",
    )

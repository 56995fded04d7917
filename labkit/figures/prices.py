"""What tokens cost by a dated price card, computed exactly.

All sums are `Decimal`, in US dollars; a price is for a million tokens. It knows three
ways of paying for input: plain, written to a cache, read from one; the last two only
for prompts that are long enough to be cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["PriceCard"]

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class PriceCard:
    """One model's prices on one day, in US dollars for a million tokens."""

    model: str
    date: str
    input: Decimal
    write: Decimal  # kept for minutes
    write_long: Decimal  # kept for an hour
    read: Decimal
    output: Decimal
    minimum_tokens: int = 0  # of a prompt that is cached at all

    def cost(
        self, plain: int = 0, write: int = 0, read: int = 0, output: int = 0
    ) -> Decimal:
        """Dollars for that many tokens of each kind."""
        sums = (
            plain * self.input,
            write * self.write,
            read * self.read,
            output * self.output,
        )
        return sum(sums, Decimal(0)) / MILLION

    def caches(self, prompt_tokens: int) -> bool:
        """Whether a prompt of that length is cached."""
        return prompt_tokens >= self.minimum_tokens

    def lost(self, tokens: int) -> Decimal:
        """Dollars that `tokens` cost more because they are written, not read."""
        return self.cost(write=tokens) - self.cost(read=tokens)

"""The order in which a step serves sequences: each is an object that only sorts.

A policy never drops anyone. Seats do not outnumber a step's tokens, so whoever runs is
served in the end under either of them; what differs is who waits meanwhile.
"""

from __future__ import annotations

from typing import Protocol

from labkit.sequence import Sequence

__all__ = ["DecodeFirst", "Policy", "PrefillFirst", "policy_named"]

Turn = list[Sequence]


class Policy(Protocol):
    """An order among running sequences and new arrivals."""

    def turns(self, running: tuple[Sequence, ...]) -> tuple[Turn, Turn]:
        """The sequences served before new arrivals, and those after them."""
        ...


class DecodeFirst:
    """Answers go on, prompts take what is left: no stream stalls (chunked prefill)."""

    def turns(self, running: tuple[Sequence, ...]) -> tuple[Turn, Turn]:
        """Decodes, then prompts; new arrivals last."""
        return sorted(running, key=lambda s: s.is_prefilling), []


class PrefillFirst:
    """Prompts come first and answers stall meanwhile: soonest first token."""

    def turns(self, running: tuple[Sequence, ...]) -> tuple[Turn, Turn]:
        """Prompts, then new arrivals; decodes last."""
        prompts = [s for s in running if s.is_prefilling]
        return prompts, [s for s in running if not s.is_prefilling]


def policy_named(name: str) -> Policy:
    """The policy that `EngineConfig.policy` names."""
    known: dict[str, Policy] = {
        "decode-first": DecodeFirst(),
        "prefill-first": PrefillFirst(),
    }
    return known[name]

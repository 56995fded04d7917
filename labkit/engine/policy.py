"""The order in which a step serves sequences: each policy names its three turns.

A policy never drops anyone. Seats do not outnumber a step's tokens, so whoever runs is
served in the end under either of them; what differs is who waits meanwhile.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

__all__ = ["DecodeFirst", "Policy", "PrefillFirst", "Turn", "policy_named"]


class Turn(Enum):
    """Who takes tokens of a step in one turn; among them the oldest comes first."""

    DECODES = auto()  # sequences whose answer goes on
    PROMPTS = auto()  # running sequences whose prompt is not computed yet
    ARRIVALS = auto()  # sequences that wait, as far as there is room for them


class Policy(Protocol):
    """An order among running sequences and new arrivals."""

    turns: tuple[Turn, ...]  # each of the three, once


class DecodeFirst:
    """Answers go on, prompts take what is left: no stream stalls (chunked prefill)."""

    turns: tuple[Turn, ...] = (Turn.DECODES, Turn.PROMPTS, Turn.ARRIVALS)


class PrefillFirst:
    """Prompts come first and answers stall meanwhile: soonest first token."""

    turns: tuple[Turn, ...] = (Turn.PROMPTS, Turn.ARRIVALS, Turn.DECODES)


def policy_named(name: str) -> Policy:
    """The policy that `EngineConfig.policy` names."""
    known: dict[str, Policy] = {
        "decode-first": DecodeFirst(),
        "prefill-first": PrefillFirst(),
    }
    return known[name]

"""How far a prompt's last logits depend on the passes in which it was computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.labs.compute.passes import last_logits
from labkit.model.decoder import Decoder

__all__ = ["Split", "split_differences"]


@dataclass(frozen=True, slots=True)
class Split:
    """One way of cutting the prompt into passes, compared with a single pass."""

    largest: float  # difference of a logit
    same_best: bool  # whether the most probable token is the same


def split_differences(
    decoder: Decoder, ids: Sequence[int], ways: Mapping[str, Sequence[int]]
) -> dict[str, Split]:
    """For each of the `ways`, lengths of passes by name, how far its logits are off."""
    whole = last_logits(decoder, ids, [len(ids)])
    found: dict[str, Split] = {}
    for name, lengths in ways.items():
        parts = last_logits(decoder, ids, lengths)
        is_same = bool(whole.argmax() == parts.argmax())
        found[name] = Split(float((whole - parts).abs().max()), is_same)
    return found

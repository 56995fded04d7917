"""Forward passes by hand, where a test wants the decoder without an engine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs

__all__ = ["Part", "forward_all", "inputs_of", "shuffled_slots"]


@dataclass(frozen=True, slots=True)
class Part:
    """One sequence's share of a step: its tokens from `start` on are new."""

    ids: list[int]  # all its tokens so far
    start: int
    slots: list[int]  # one a token


def shuffled_slots(num_slots: int, seed: int = 0) -> list[int]:
    """All slots of a store in an order that no neighbourhood survives."""
    source = torch.Generator().manual_seed(seed)
    return torch.randperm(num_slots, generator=source).tolist()


def inputs_of(*parts: Part) -> ForwardInputs:
    """The step that computes the new tokens of `parts`, in this order."""
    longest = max(len(part.ids) for part in parts)
    read = [
        part.slots[: len(part.ids)] + [0] * (longest - len(part.ids)) for part in parts
    ]
    return ForwardInputs(
        token_ids=torch.tensor([i for p in parts for i in p.ids[p.start :]]),
        positions=torch.tensor([i for p in parts for i in range(p.start, len(p.ids))]),
        write_slots=torch.tensor([s for p in parts for s in _new_slots(p)]),
        read_slots=torch.tensor(read),
        query_lens=tuple(len(part.ids) - part.start for part in parts),
        context_lens=tuple(len(part.ids) for part in parts),
        num_logits=(1,) * len(parts),
    )


def _new_slots(part: Part) -> list[int]:
    return part.slots[part.start : len(part.ids)]


def forward_all(
    decoder: Decoder, ids: list[int], num_prefill: int, slots: list[int]
) -> Tensor:
    """Prefill `num_prefill` tokens, decode the rest: logits after each of those.

    float32 [len(ids) - num_prefill + 1, vocab], the prefill's last position first.
    """
    kv = decoder.new_store(len(slots))
    rows = [decoder.forward(inputs_of(Part(ids[:num_prefill], 0, slots)), kv)]
    for place in range(num_prefill, len(ids)):
        part = Part(ids[: place + 1], place, slots)
        rows.append(decoder.forward(inputs_of(part), kv))
    return torch.cat(rows)

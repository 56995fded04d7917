"""One prompt through the model in parts of chosen lengths, and its last logits.

A part finds the keys of the parts before it in the store, as it would find a cached
prefix: who computed them, and when, makes no difference to the arithmetic. It serves
chapters that compare ways to the same number; requests go through the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from labkit.errors import InputError
from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs

__all__ = ["last_logits"]


def last_logits(decoder: Decoder, ids: Sequence[int], parts: Sequence[int]) -> Tensor:
    """float32 logits [vocab] after `ids`, computed in passes of `parts` tokens."""
    if sum(parts) != len(ids) or min(parts, default=0) < 1:
        raise InputError(f"parts={list(parts)} do not add up to {len(ids)} tokens")
    kv, scratch = decoder.new_store(len(ids)), decoder.new_scratch()
    logits = torch.empty(0)
    for end, length in zip(accumulate(parts), parts, strict=True):
        inputs = _pass(decoder, ids, end - length, end)
        logits = decoder.forward(inputs, kv, scratch=scratch)
    return logits[-1]


def _pass(decoder: Decoder, ids: Sequence[int], start: int, end: int) -> ForwardInputs:
    """Tokens `start` to `end` - 1, each in the slot of its own position."""
    places = torch.arange(start, end, device=decoder.device)
    return ForwardInputs(
        token_ids=torch.tensor(list(ids[start:end]), device=decoder.device),
        positions=places,
        write_slots=places,
        read_slots=torch.arange(end, device=decoder.device).unsqueeze(0),
        query_lens=(end - start,),
        context_lens=(end,),
        num_logits=(1,),
    )

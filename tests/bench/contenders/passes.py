"""Forward passes by hand, for what an engine does not show: where the cache lies.

A contiguous store keeps a sequence's tokens one after another, and gives them as a view
where the paged one gathers a copy.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore

__all__ = [
    "ContiguousStore",
    "decode_seconds",
    "paged_slots",
    "token_by_token",
]

BLOCK = 16  # tokens, the engine's default
STEPS = 16  # timed together
CHUNK = 512  # tokens of a prompt computed at once


class ContiguousStore(KVStore):
    """One sequence's keys and values, in order, never copied to be read."""

    def read(self, layer: int, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Views of the first tokens: `slots` must be 0, 1, 2, ..."""
        end = slots.shape[-1]
        return self._keys[layer][None, :end], self._values[layer][None, :end]


def paged_slots(num_tokens: int) -> list[int]:
    """Slots of a sequence whose blocks lie in no order."""
    num_blocks = -(-num_tokens // BLOCK)
    source = torch.Generator().manual_seed(0)
    blocks = torch.randperm(num_blocks, generator=source).tolist()
    return [b * BLOCK + i for b in blocks for i in range(BLOCK)][:num_tokens]


def one_row(
    ids: Sequence[int], start: int, slots: Sequence[int], device: torch.device
) -> ForwardInputs:
    """The tokens `ids` at positions from `start` on, of one sequence."""
    end = start + len(ids)
    return ForwardInputs(
        token_ids=torch.tensor(ids, device=device),
        positions=torch.arange(start, end, device=device),
        write_slots=torch.tensor(slots[start:end], device=device),
        read_slots=torch.tensor([slots[:end]], device=device),
        query_lens=(len(ids),),
        context_lens=(end,),
        num_logits=(1,),
    )


def decode_seconds(decoder: Decoder, context: int, *, is_paged: bool) -> float:
    """Seconds of a decode step that sees `context` tokens."""
    slots = paged_slots(context) if is_paged else list(range(context))
    kind = KVStore if is_paged else ContiguousStore
    num_slots = -(-context // BLOCK) * BLOCK
    kv, scratch = decoder.new_store(num_slots, kind), decoder.new_scratch()
    ids = [(7 * i + 3) % decoder.config.vocab_size for i in range(context)]
    for start in range(0, context - 1, CHUNK):
        part = ids[start : min(start + CHUNK, context - 1)]
        before = one_row(part, start, slots, decoder.device)
        decoder.forward(before, kv, scratch=scratch)
    last = one_row(ids[-1:], context - 1, slots, decoder.device)
    decoder.forward(last, kv, scratch=scratch)
    started = time.perf_counter()
    for _ in range(STEPS):
        decoder.forward(last, kv, scratch=scratch)
    return (time.perf_counter() - started) / STEPS


def token_by_token(
    decoder: Decoder, windows: Sequence[Sequence[int]]
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32 logits [windows, tokens, vocab], one token a pass."""
    length, device = len(windows[0]), decoder.device
    slots = list(range(length))
    found = np.empty((len(windows), length, decoder.config.vocab_size), np.float32)
    kv, scratch = decoder.new_store(length), decoder.new_scratch()
    for index, window in enumerate(windows):
        for place, token in enumerate(window):
            step = one_row([token], place, slots, device)
            logits = decoder.forward(step, kv, scratch=scratch)
            found[index, place] = logits[0].cpu().numpy()
    return found

"""Grouped-query attention over slots: new tokens look at all they may see.

Neighbouring sequences with the same number of new tokens form a slab and are computed
together: every decoding row in one slab, a prompt alone in its own. The plan is made
once a step; each layer follows it. A row never sees a slot that is not its own, but its
last bits may depend on its neighbours: a longer slab is summed in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore

__all__ = ["Slab", "attend", "attend_slots", "plan_attention"]


PIECE = 128  # tokens of one prompt that attend together; the next piece sees more


@dataclass(frozen=True, slots=True)
class Slab:
    """S neighbouring sequences with Q new tokens each and up to C visible ones."""

    start: int  # row of the slab's first token in the step
    query_len: int  # Q
    slots: Tensor  # int64 [S, C]
    bias: Tensor  # [S, 1, Q * G, C]: 0 where a token sees a slot, else -inf

    @property
    def num_tokens(self) -> int:
        """New tokens in the slab: S * Q."""
        return len(self.slots) * self.query_len


@dataclass(frozen=True, slots=True)
class _Span:
    """Which tokens of a step form a slab."""

    first: int  # sequence
    rows: int  # sequences
    start: int  # token
    query_len: int  # tokens a sequence
    num_later: int  # new tokens of the sequence that come after these


def plan_attention(
    inputs: ForwardInputs, group: int, dtype: torch.dtype
) -> tuple[Slab, ...]:
    """Cut a step into slabs, in order; each token of the step is in exactly one.

    `group` is how many queries share a KV head, `dtype` that of the attention.
    """
    spans = _spans(inputs.query_lens)
    return tuple(_slab(inputs, span, group, dtype) for span in spans)


def _spans(query_lens: tuple[int, ...]) -> Iterator[_Span]:
    """A lone long prompt is cut, so that its early tokens skip the late ones."""
    start = first = 0
    for query_len, run in groupby(query_lens):
        rows = len(list(run))
        size = query_len if rows > 1 else PIECE
        for done in range(0, query_len, size):
            now = min(size, query_len - done)
            yield _Span(first, rows, start + done, now, query_len - done - now)
        start, first = start + query_len * rows, first + rows


def _slab(inputs: ForwardInputs, s: _Span, group: int, dtype: torch.dtype) -> Slab:
    longest = max(inputs.context_lens[s.first : s.first + s.rows]) - s.num_later
    places = torch.arange(longest, device=inputs.positions.device)
    positions = inputs.positions[s.start : s.start + s.rows * s.query_len]
    folded = positions.view(s.rows, 1, s.query_len, 1).repeat_interleave(group, dim=2)
    hidden = places > folded  # later tokens, and padding
    bias = torch.zeros(hidden.shape, dtype=dtype, device=places.device)
    slots = inputs.read_slots[s.first : s.first + s.rows, :longest]
    return Slab(s.start, s.query_len, slots, bias.masked_fill_(hidden, -torch.inf))


def attend_slots(
    queries: Tensor, kv: KVStore, layer: int, slabs: tuple[Slab, ...]
) -> Tensor:
    """Attention of one layer for a whole step; keys and values come out of `kv`.

    `queries` is [tokens, heads, head_dim], and so is the result.
    """
    parts = []
    for slab in slabs:
        keys, values = kv.read(layer, slab.slots)  # [S, C, kv_heads, head_dim]
        rows = queries[slab.start : slab.start + slab.num_tokens]
        grid = rows.view(len(slab.slots), slab.query_len, *rows.shape[1:])
        parts.append(attend(grid, keys, values, slab.bias).flatten(0, 1))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def attend(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """softmax(q · k / sqrt(d) + bias) · v with G = heads / kv_heads queries a KV head.

    queries [S, Q, heads, d], keys and values [S, C, kv_heads, d], bias
    [S, 1, Q * G, C]; gives [S, Q, heads, d]. Ainslie et al. 2023, arXiv 2305.13245. The
    G queries of a KV head become more rows of one query matrix, so no key or value is
    copied G times.
    """
    slab, query_len, heads, head_dim = queries.shape
    kv_heads = keys.shape[2]
    group = heads // kv_heads  # G
    split = queries.view(slab, query_len, kv_heads, group, head_dim)
    folded = split.transpose(1, 2).flatten(2, 3)  # [S, kv_heads, Q * G, d]
    mixed = scaled_dot_product_attention(
        folded, keys.transpose(1, 2), values.transpose(1, 2), attn_mask=bias
    )
    rows = mixed.view(slab, kv_heads, query_len, group, head_dim).transpose(1, 2)
    return rows.flatten(2, 3)

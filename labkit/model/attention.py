"""Grouped-query attention over slots: new tokens look at all they may see.

Neighbouring sequences with the same number of new tokens form a slab and are computed
together: every decoding row in one slab, a prompt alone in its own. The plan is made
once a step; each layer follows it. A row never sees a slot that is not its own, but its
last bits may depend on its neighbours: a longer slab is summed in another order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.model.watch import PassWatch

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


def plan_attention(
    inputs: ForwardInputs, group: int, dtype: torch.dtype
) -> tuple[Slab, ...]:
    """Cut a step into slabs, in order; each token of the step is in exactly one.

    `group` is how many queries share a KV head, `dtype` that of the attention. A lone
    long prompt is cut into pieces, so that its early tokens skip the late ones.
    """
    slabs, start, first = [], 0, 0  # the next token, the next sequence
    for query_len, run in groupby(inputs.query_lens):
        rows = slice(first, first := first + len(list(run)))
        num_rows = first - rows.start
        size = query_len if num_rows > 1 else PIECE
        for done in range(0, query_len, size):
            now = min(size, query_len - done)  # new tokens of each sequence
            longest = max(inputs.context_lens[rows]) - (query_len - done - now)
            positions = inputs.positions[start : start + num_rows * now]
            bias = _bias(positions.view(num_rows, now), longest, group).to(dtype)
            slabs.append(Slab(start, now, inputs.read_slots[rows, :longest], bias))
            start += num_rows * now
    return tuple(slabs)


def _bias(positions: Tensor, longest: int, group: int) -> Tensor:
    """-inf for later tokens and for padding, else 0; positions are [S, Q]."""
    places = torch.arange(longest, device=positions.device)
    folded = positions[:, None, :, None].repeat_interleave(group, dim=2)
    return torch.where(places > folded, -torch.inf, 0.0)  # [S, 1, Q * G, C]


def attend_slots(
    queries: Tensor,
    kv: KVStore,
    layer: int,
    slabs: tuple[Slab, ...],
    watch: PassWatch | None = None,
) -> Tensor:
    """Attention of one layer for a whole step; keys and values come out of `kv`.

    `queries` is [tokens, heads, head_dim], and so is the result.
    """
    parts = []
    for slab in slabs:
        keys, values = kv.read(layer, slab.slots)  # [S, C, kv_heads, head_dim]
        rows = queries[slab.start : slab.start + slab.num_tokens]
        grid = rows.view(len(slab.slots), slab.query_len, *rows.shape[1:])
        if watch is not None:
            watch.attention(layer, slab.start, _weights(grid, keys, slab.bias))
        parts.append(attend(grid, keys, values, slab.bias).flatten(0, 1))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _weights(queries: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
    """softmax(q · k / sqrt(d) + bias), as `attend` mixes with: [S * Q, heads, C]."""
    slab, query_len, heads, head_dim = queries.shape
    kv_heads = keys.shape[2]
    split = queries.view(slab, query_len, kv_heads, -1, head_dim)
    folded = split.transpose(1, 2).flatten(2, 3)  # [S, kv_heads, Q * G, d]
    scores = folded @ keys.permute(0, 2, 3, 1) / math.sqrt(head_dim) + bias
    grid = scores.softmax(-1).view(slab, kv_heads, query_len, -1, keys.shape[1])
    return grid.transpose(1, 2).reshape(slab * query_len, heads, -1)


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

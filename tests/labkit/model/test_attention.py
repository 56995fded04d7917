"""Slabs cover a step once, and folded queries equal repeated keys."""

from __future__ import annotations

import math

import torch

from labkit.model.attention import attend, plan_attention
from tests.support.steps import Part, inputs_of


def slabs_of(*shapes: tuple[int, int]):
    """Slabs of a step of such sequences, with one query a KV head."""
    return plan_attention(step(*shapes), 1, torch.float32)


def seen(slab) -> list[list[list[int]]]:
    """1 where a token of the slab sees a slot."""
    return (slab.bias[:, 0] == 0).int().tolist()


def step(*shapes: tuple[int, int]):
    """Inputs of sequences with (context, new) tokens each, slots one after another."""
    parts, first = [], 0
    for context, new in shapes:
        slots = list(range(first, first + context))
        parts.append(Part([1] * context, context - new, slots))
        first += context
    return inputs_of(*parts)


def test_decoding_neighbours_share_one_slab_and_prompts_do_not():
    slabs = slabs_of((5, 1), (9, 1), (4, 4), (7, 3), (2, 1))
    assert [(s.start, s.query_len, len(s.slots)) for s in slabs] == [
        (0, 1, 2),
        (2, 4, 1),
        (6, 3, 1),
        (9, 1, 1),
    ]
    assert sum(slab.num_tokens for slab in slabs) == 10


def test_a_slab_is_no_wider_than_its_longest_context():
    slabs = slabs_of((40, 1), (3, 3), (6, 2))
    assert [slab.slots.shape[1] for slab in slabs] == [40, 3, 6]


def test_a_token_sees_itself_and_what_is_before_it():
    (slab,) = slabs_of((4, 3))
    assert seen(slab) == [[[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]]


def test_a_long_prompt_is_cut_so_that_early_tokens_skip_the_late_ones():
    slabs = slabs_of((310, 300))
    assert [(s.start, s.query_len) for s in slabs] == [(0, 128), (128, 128), (256, 44)]
    assert [s.slots.shape[1] for s in slabs] == [138, 266, 310]
    assert [sum(row) for s in slabs for row in seen(s)[0]] == list(range(11, 311))


def test_queries_that_share_a_kv_head_share_what_they_see():
    (slab,) = plan_attention(step((3, 2)), 2, torch.float32)
    assert seen(slab) == [[[1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]]


def test_padding_is_not_visible():
    (slab,) = slabs_of((2, 1), (4, 1))
    assert seen(slab) == [[[1, 1, 0, 0]], [[1, 1, 1, 1]]]


def test_folded_queries_equal_attention_with_repeated_keys_and_values():
    source = torch.Generator().manual_seed(3)
    queries = torch.randn(2, 3, 6, 4, generator=source)  # [S, Q, heads, d]
    keys, values = torch.randn(2, 2, 5, 2, 4, generator=source)  # [S, C, kv_heads, d]
    visible = torch.ones(2, 3, 5, dtype=torch.bool).tril(2)
    bias = torch.zeros(2, 3, 5).masked_fill(~visible, -math.inf)
    folded = bias.repeat_interleave(3, dim=1).unsqueeze(1)  # [S, 1, Q * G, C]
    got = attend(queries, keys, values, folded)
    wide_keys, wide_values = (t.repeat_interleave(3, dim=2) for t in (keys, values))
    scores = torch.einsum("sqhd,schd->shqc", queries, wide_keys) / math.sqrt(4)
    hidden = scores.masked_fill(~visible[:, None], -math.inf)
    wanted = torch.einsum("shqc,schd->sqhd", hidden.softmax(-1), wide_values)
    torch.testing.assert_close(got, wanted)

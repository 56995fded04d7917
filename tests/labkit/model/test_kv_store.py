"""What is written to a slot is what is read from it, in each layer on its own."""

from __future__ import annotations

import pytest
import torch

from labkit.errors import ConfigError
from labkit.model.kv_store import CACHE_LINE, HUGE_PAGE, KVStore
from tests.support.tiny import tiny_config

CPU = torch.device("cpu")


def store(num_slots: int = 8, dtype: torch.dtype = torch.float32) -> KVStore:
    return KVStore(tiny_config(), num_slots, dtype=dtype, device=CPU)


def test_reads_back_what_was_written_slot_by_slot():
    kv, source = store(), torch.Generator().manual_seed(0)
    keys, values = torch.randn(2, 3, 2, 8, generator=source)
    kv.write(1, torch.tensor([6, 0, 3]), keys, values)
    order = torch.tensor([[2, 0], [1, 2]])
    got_keys, got_values = kv.read(1, torch.tensor([[3, 6], [0, 3]]))
    assert torch.equal(got_keys, keys[order])
    assert torch.equal(got_values, values[order])


def test_layers_do_not_touch_each_other():
    kv = store()
    kv.write(0, torch.tensor([2]), torch.ones(1, 2, 8), torch.ones(1, 2, 8))
    keys, values = kv.read(1, torch.arange(8))
    assert not keys.any()
    assert not values.any()


def test_a_read_is_a_copy():
    kv, slots = store(), torch.tensor([1])
    kv.read(0, slots)[0].fill_(9)
    assert not kv.read(0, slots)[0].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_its_size_is_what_the_config_says_a_token_costs(dtype):
    kv = store(16, dtype)
    assert kv.num_bytes == 16 * tiny_config().kv_bytes_per_token(dtype.itemsize)
    assert kv.read(0, torch.tensor([0]))[0].dtype is dtype


def test_a_store_without_slots_is_refused():
    with pytest.raises(ConfigError, match="num_slots=0"):
        store(0)


def test_large_layers_do_not_reach_a_new_huge_page_with_the_same_slot():
    config = tiny_config()
    num_slots = HUGE_PAGE // (config.num_kv_heads * config.head_dim * 4)
    kv = store(num_slots)
    begin = [kv.tensors[0].stride(0) * 4 * layer for layer in range(config.num_layers)]
    places = [place % HUGE_PAGE for place in begin]
    assert len(set(places)) == config.num_layers
    assert all(place % CACHE_LINE == 0 for place in places)
    assert kv.num_bytes == num_slots * config.kv_bytes_per_token(4)
    ones = torch.ones(1, config.num_kv_heads, config.head_dim)
    kv.write(0, torch.tensor([num_slots - 1]), ones, ones)
    assert not any(found.any() for found in kv.read(1, torch.arange(num_slots)))

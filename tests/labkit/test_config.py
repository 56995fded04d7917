"""Configuration is checked when it is made and never edited."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from labkit.config import EngineConfig, ModelConfig, from_mapping, reject_unknown
from labkit.errors import ConfigError

TINY = ModelConfig(
    family="llama",
    vocab_size=32,
    width=16,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=4,
    ffn_width=32,
    rope_theta=10_000.0,
    norm_eps=1e-5,
    max_context=128,
)


def test_a_known_name_is_accepted() -> None:
    reject_unknown(["block_size"], ["block_size", "num_blocks"], "EngineConfig")


def test_a_misspelt_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"'block_sise'; did you mean block_size\?"):
        from_mapping(EngineConfig, {"block_sise": 16})


def test_a_name_like_no_other_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigError, match="known: a, b"):
        reject_unknown(["zzz"], ["b", "a"], "Thing")


def test_a_mapping_becomes_a_config() -> None:
    assert from_mapping(EngineConfig, {"num_blocks": 8}) == EngineConfig(num_blocks=8)


def test_query_heads_must_be_a_multiple_of_kv_heads() -> None:
    with pytest.raises(ConfigError, match="num_heads=4 is not a multiple"):
        replace(TINY, num_kv_heads=3)


def test_kv_bytes_are_two_tensors_a_layer() -> None:
    assert TINY.kv_bytes_per_token(element_bytes=4) == 2 * 2 * 2 * 4 * 4


@pytest.mark.parametrize("size", [0, -16, 3, 24])
def test_a_block_size_must_be_a_power_of_two(size: int) -> None:
    with pytest.raises(ConfigError, match=f"block_size={size}: use a power of two"):
        EngineConfig(block_size=size)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_blocks": 0},
        {"max_running": 0},
        {"max_step_tokens": -1},
        {"max_waiting": -1},
        {"max_drafts": -1},
        {"policy": "newest-first"},
        {"max_context": 1},
    ],
    ids=str,
)
def test_a_size_that_cannot_work_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))}="):
        EngineConfig(**wrong)


def test_a_queue_of_no_length_is_allowed() -> None:
    assert EngineConfig(max_waiting=0).max_waiting == 0


@pytest.mark.parametrize(
    ("wish", "num_blocks", "context"),
    [(None, 512, 128), (64, 512, 64), (4096, 512, 128), (None, 2, 32)],
    ids=["model", "wish", "wish-too-large", "pool"],
)
def test_the_context_is_the_least_of_model_pool_and_wish(
    wish: int | None, num_blocks: int, context: int
) -> None:
    config = EngineConfig(num_blocks=num_blocks, max_context=wish)
    assert config.resolve(TINY).max_context == context


def test_resolving_gives_a_new_value() -> None:
    config = EngineConfig()
    config.resolve(TINY)
    assert config.max_context is None


def test_a_config_cannot_be_edited() -> None:
    with pytest.raises(FrozenInstanceError):
        EngineConfig().block_size = 8  # type: ignore[misc]


def test_kernels_that_there_are_not_are_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="kernels='fast': use auto, native, torch"):
        EngineConfig(kernels="fast")

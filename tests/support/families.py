"""Tiny random models of each family as Hugging Face directories, by transformers.

Weights are large enough for logits to differ and norms and biases are not trivial, so a
forgotten bias or norm shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.support.tiny import CHAT_TEMPLATE, byte_tokenizer_spec

__all__ = ["FAMILIES", "random_family", "write_family"]

SHAPE = {
    "vocab_size": 288,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def _plain_rope(theta: float) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": theta}


FAMILIES: Mapping[str, tuple[type, type, dict[str, Any]]] = {
    "llama": (
        LlamaConfig,
        LlamaForCausalLM,
        {"tie_word_embeddings": False, "rope_parameters": _plain_rope(10_000.0)},
    ),
    "llama3-rope": (
        LlamaConfig,
        LlamaForCausalLM,
        {"tie_word_embeddings": False, "rope_parameters": LLAMA3_ROPE},
    ),
    "smollm2": (
        LlamaConfig,
        LlamaForCausalLM,
        {
            "tie_word_embeddings": True,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "hidden_size": 72,
            "rope_parameters": _plain_rope(100_000.0),
        },
    ),
    "qwen2": (
        Qwen2Config,
        Qwen2ForCausalLM,
        {"tie_word_embeddings": True, "rope_parameters": _plain_rope(1e6)},
    ),
    "qwen3": (
        Qwen3Config,
        Qwen3ForCausalLM,
        {
            "tie_word_embeddings": False,
            "head_dim": 16,  # not width / heads
            "rope_parameters": _plain_rope(1e6),
        },
    ),
}


def random_family(name: str, seed: int = 0) -> PreTrainedModel:
    """The transformers model called `name`, float32, every parameter random."""
    config_type, model_type, special = FAMILIES[name]
    model = model_type(config_type(**{**SHAPE, **special})).eval()
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in model.named_parameters():
            noise = torch.randn(value.shape, generator=source)
            is_norm = key.endswith("norm.weight")
            value.copy_(1 + 0.2 * noise if is_norm else 0.2 * noise)
    return model


def write_family(
    name: str, folder: Path, *, shard_size: str = "50GB"
) -> PreTrainedModel:
    """Write `name` to `folder` as a hub would hold it; the model is given back."""
    model = random_family(name)
    model.save_pretrained(folder, max_shard_size=shard_size)
    _byte_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {"chat_template": CHAT_TEMPLATE, "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return model


def _byte_tokenizer() -> Tokenizer:
    spec = byte_tokenizer_spec()
    vocab = {token: place for place, token in enumerate(spec.tokens)}
    merges = [tuple(merge.split(" ")) for merge in spec.merges]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(spec.tokens[:3]))
    return tokenizer

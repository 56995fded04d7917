"""A tiny random model, built in memory at once.

`tiny_model` needs neither files nor transformers: random weights from a seed and a
tokenizer of 256 bytes, a few merges and SmolLM2's control tokens.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.model.decoder import Decoder
from labkit.model.loaded import LoadedModel
from labkit.records import TokenizerSpec
from labkit.weights.parameters import ModelWeights, tensor_shapes

__all__ = [
    "CHAT_TEMPLATE",
    "NUM_BYTE_TOKENS",
    "byte_tokenizer_spec",
    "packable_config",
    "random_tensors",
    "tiny_config",
    "tiny_model",
]

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
NUM_BYTE_TOKENS = len(CONTROL_TOKENS) + 256  # 259; ids from here on are merges
MERGE_LETTERS = "etaoinshrdlu"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, "
    "trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_characters() -> list[str]:
    """GPT-2's printable character for each byte value, 0 to 255."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in shown]
    stand_in = {byte: chr(256 + place) for place, byte in enumerate(hidden)}
    return [stand_in.get(byte, chr(byte)) for byte in range(256)]


def byte_tokenizer_spec(vocab_size: int = 288) -> TokenizerSpec:
    """Control tokens 0 to 2, byte b at id 3 + b, then merged pairs of letters."""
    pairs = [f"{a} {b}" for a in MERGE_LETTERS for b in MERGE_LETTERS]
    num_merges = vocab_size - NUM_BYTE_TOKENS
    assert 0 <= num_merges <= len(pairs), f"vocab_size={vocab_size}: use 259 to 403"
    merges = pairs[:num_merges]
    ordinary = [*byte_characters(), *(merge.replace(" ", "") for merge in merges)]
    return TokenizerSpec(
        eos_ids=(2,),
        chat_template=CHAT_TEMPLATE,
        bos_id=1,
        tokens=(*CONTROL_TOKENS, *ordinary),
        token_types=(3,) * len(CONTROL_TOKENS) + (1,) * len(ordinary),
        merges=tuple(merges),
        pre="smollm",
    )


def tiny_config(vocab_size: int = 288, num_layers: int = 2) -> ModelConfig:
    """SmolLM2's shape in small: tied, two query heads a KV head."""
    return ModelConfig(
        family="llama",
        vocab_size=vocab_size,
        width=32,
        num_layers=num_layers,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        ffn_width=48,
        rope_theta=10_000.0,
        norm_eps=1e-5,
        max_context=1024,
        is_tied=True,
    )


def packable_config() -> ModelConfig:
    """A shape whose rows are whole blocks of 32: what quantised weights need."""
    return replace(tiny_config(), width=64, head_dim=32, ffn_width=96)


def random_tensors(config: ModelConfig, seed: int) -> dict[str, Tensor]:
    """Normal weights, large enough that greedy answers vary; norms near 1."""
    source = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in tensor_shapes(config).items():
        noise = torch.randn(shape, generator=source)
        is_norm = name.endswith("norm.weight")
        tensors[name] = 1 + 0.1 * noise if is_norm else 0.25 * noise
    return tensors


def tiny_model(
    seed: int = 0,
    vocab_size: int = 288,
    num_layers: int = 2,
    dtype: torch.dtype = torch.float32,
) -> LoadedModel:
    """A model in memory, in milliseconds, on the CPU; byte-level tokenizer."""
    config = tiny_config(vocab_size, num_layers)
    tensors = random_tensors(config, seed)
    numbers = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    decoder = Decoder(config, ModelWeights.from_tensors(config, numbers))
    return LoadedModel(config, decoder, byte_tokenizer_spec(vocab_size), "tiny")

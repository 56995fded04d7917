"""The slow truth: the same model written the plain way, all of it again for each token.

No cache, no slots, no batch: a dense causal mask, keys and values copied for each query
head, rotary pairs as complex numbers, float32 throughout. It shares no formula with the
fast path, which is tested equal to it; tests and chapters may call it, requests not.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from labkit.config import ModelConfig, RopeScaling
from labkit.errors import InputError
from labkit.model.decoder import Decoder
from labkit.weights.parameters import LayerWeights, Projection

__all__ = ["generate", "is_greedy", "logits"]


@torch.inference_mode()
def logits(decoder: Decoder, ids: Sequence[int]) -> Tensor:
    """float32 logits [len(ids), vocab]; row i is about the token after `ids[i]`."""
    return _hidden(decoder, ids) @ decoder.weights.head.float().T


@torch.inference_mode()
def generate(
    decoder: Decoder,
    prompt_ids: Sequence[int],
    max_tokens: int,
    eos_ids: Collection[int] = frozenset(),
) -> list[int]:
    """Greedy continuation of `prompt_ids`; ends after a token of `eos_ids`, included.

    Of equal logits the smallest token id wins. `InputError` for an empty prompt.
    """
    output: list[int] = []
    head = decoder.weights.head.float()
    while len(output) < max_tokens and not (output and output[-1] in eos_ids):
        last = _hidden(decoder, [*prompt_ids, *output])[-1]
        output.append(int((head @ last).argmax()))
    return output


def is_greedy(
    decoder: Decoder, prompt_ids: Sequence[int], output_ids: Sequence[int]
) -> bool:
    """True where `output_ids` is what `generate` would give, asked in one pass.

    Attention is causal, so row i of one pass over everything is the row that
    `generate` had when it chose that token: if each choice is its row's largest, the
    two agree by induction. (Two logits closer than rounding, 1e-4, could still swap.)
    """
    if not output_ids:
        return True
    rows = logits(decoder, [*prompt_ids, *output_ids[:-1]])[len(prompt_ids) - 1 :]
    return rows.argmax(-1).tolist() == list(output_ids)


def _hidden(decoder: Decoder, ids: Sequence[int]) -> Tensor:
    """The normed output of the last layer: float32 [len(ids), width]."""
    if not ids:
        raise InputError("the prompt is empty: pass at least one token", param="prompt")
    config, weights = decoder.config, decoder.weights
    turn = _turns(config, len(ids), decoder.device)
    x = weights.embedding[torch.tensor(ids, device=decoder.device)].float()
    for layer in weights.layers:
        x = x + _attention(config, layer, x, turn)
        h = _norm(x, layer.ffn_norm, config.norm_eps)
        gate, up = h @ layer.gate.float().T, h @ layer.up.float().T
        x = x + (gate / (1 + torch.exp(-gate)) * up) @ layer.down.float().T
    return _norm(x, weights.final_norm, config.norm_eps)


def _attention(
    config: ModelConfig, layer: LayerWeights, x: Tensor, turn: Tensor
) -> Tensor:
    h = _norm(x, layer.attention_norm, config.norm_eps)
    copies = config.num_heads // config.num_kv_heads
    queries = _split(config, h, layer.query, layer.query_norm)  # [heads, tokens, d]
    keys = _split(config, h, layer.key, layer.key_norm)
    values = _split(config, h, layer.value, None).repeat_interleave(copies, 0)
    keys = _turned(keys, turn).repeat_interleave(copies, 0)
    scores = _turned(queries, turn) @ keys.mT / math.sqrt(config.head_dim)
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    return (weights @ values).transpose(0, 1).flatten(1) @ layer.output.float().T


def _split(
    config: ModelConfig, h: Tensor, to: Projection, norm: Tensor | None
) -> Tensor:
    flat = h @ to.weight.float().T
    flat = flat if to.bias is None else flat + to.bias.float()
    heads = flat.view(len(h), -1, config.head_dim).transpose(0, 1)
    return heads if norm is None else _norm(heads, norm, config.norm_eps)


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight.float()


def _turns(config: ModelConfig, num_tokens: int, device: torch.device) -> Tensor:
    """e^(i·position·frequency): complex64 [tokens, d/2]."""
    half = config.head_dim // 2
    bases = [config.rope_theta ** (-2 * pair / config.head_dim) for pair in range(half)]
    scaling = config.rope_scaling
    if scaling is not None:
        bases = [_stretched(base, scaling) for base in bases]
    places = torch.arange(num_tokens, device=device).float()
    angles = torch.outer(places, torch.tensor(bases, device=device))
    return torch.polar(torch.ones_like(angles), angles)


def _stretched(base: float, scaling: RopeScaling) -> float:
    """Llama 3's rule by wavelength: short ones stay, long ones grow by the factor."""
    wavelength = 2 * math.pi / base  # positions a turn
    context, factor = scaling.original_max_context, scaling.factor
    if wavelength < context / scaling.high_freq_factor:
        return base
    if wavelength > context / scaling.low_freq_factor:
        return base / factor
    span = scaling.high_freq_factor - scaling.low_freq_factor
    share = (context / wavelength - scaling.low_freq_factor) / span
    return (1 - share) * base / factor + share * base


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    """Multiply the pair (x[i], x[i + d/2]), as one complex number, by its turn."""
    half = x.shape[-1] // 2
    pairs = torch.complex(x[..., :half], x[..., half:]) * turn
    return torch.cat((pairs.real, pairs.imag), dim=-1)

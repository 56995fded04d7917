"""transformers as the judge: a second implementation over the very same weights.

Tests only; nothing on a request's path imports transformers.
"""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from labkit.config import ModelConfig
from labkit.model.loaded import LoadedModel
from labkit.weights.parameters import ModelWeights

__all__ = ["transformers_agrees", "transformers_greedy", "transformers_model"]


def transformers_model(loaded: LoadedModel) -> LlamaForCausalLM:
    """A transformers Llama that shares the tensors of `loaded`, without a copy."""
    config = loaded.config
    assert config.family == "llama", f"no oracle for family {config.family}"
    with torch.device("meta"):
        model = LlamaForCausalLM(_config(config))
    state = _state(config, loaded.decoder.weights)
    model.load_state_dict(state, assign=True)
    rotary = model.model.rotary_emb  # not in the state: made anew, off "meta"
    model.model.rotary_emb = type(rotary)(model.config)
    return model.eval()


@torch.inference_mode()
def transformers_greedy(
    model: LlamaForCausalLM, prompts: list[list[int]], max_tokens: int
) -> list[list[int]]:
    """Greedy continuations of `max_tokens` tokens each; end-of-text is a token too.

    The prompts have one length, so that a batch needs no padding.
    """
    lengths = {len(prompt) for prompt in prompts}
    assert len(lengths) == 1, f"prompts of one length, not {sorted(lengths)}"
    model.generation_config.eos_token_id = None
    ids = torch.tensor(prompts)
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=max_tokens,
        pad_token_id=0,
    )
    return output[:, ids.shape[1] :].tolist()


@torch.inference_mode()
def transformers_agrees(
    model: LlamaForCausalLM, prompts: list[list[int]], outputs: list[list[int]]
) -> list[bool]:
    """For each pair of one length: is the output what greedy generation gives?

    One causal pass instead of a pass a token, twenty times faster: each output token
    must be the largest logit after all that stands before it, so by induction the
    output is the greedy one. Five pairs a pass keep the logits under 100 MB.
    """
    verdicts: list[bool] = []
    for start in range(0, len(prompts), 5):
        pairs = zip(prompts[start : start + 5], outputs[start : start + 5], strict=True)
        ids = torch.tensor([prompt + output for prompt, output in pairs])
        place = len(prompts[0])
        best = model(ids[:, :-1]).logits[:, place - 1 :].argmax(-1)
        verdicts += (best == ids[:, place:]).all(-1).tolist()
    return verdicts


def _config(config: ModelConfig) -> LlamaConfig:
    assert config.rope_scaling is None, "the oracle knows plain rotary angles only"
    return LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.width,
        intermediate_size=config.ffn_width,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        head_dim=config.head_dim,
        max_position_embeddings=config.max_context,
        rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=config.is_tied,
    )


def _state(config: ModelConfig, weights: ModelWeights) -> dict[str, torch.Tensor]:
    state = {
        "model.embed_tokens.weight": weights.embedding,
        "model.norm.weight": weights.final_norm,
        "lm_head.weight": weights.head,
    }
    for index, layer in enumerate(weights.layers):
        named = {
            "input_layernorm": layer.attention_norm,
            "self_attn.q_proj": layer.query.weight,
            "self_attn.k_proj": layer.key.weight,
            "self_attn.v_proj": layer.value.weight,
            "self_attn.o_proj": layer.output,
            "post_attention_layernorm": layer.ffn_norm,
            "mlp.gate_proj": layer.gate,
            "mlp.up_proj": layer.up,
            "mlp.down_proj": layer.down,
        }
        prefix = f"model.layers.{index}"
        state |= {f"{prefix}.{name}.weight": value for name, value in named.items()}
    return state

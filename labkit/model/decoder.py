"""The decoder: embedding, layers of attention and feed-forward, norm, head.

One path for every family and for prefill and decode alike: a row is a new token, and
only the rows that are asked for become logits. Biases and query/key norms are applied
where the weights have them. A float32 row's logits agree with those it has alone to
rounding (1e-4 for SmolLM2, whose logits spread by 6), but not bit for bit: the shape of
a matrix product decides the order of its sums. (`packed` sums in one order only.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear

from labkit.config import ModelConfig
from labkit.errors import ConfigError
from labkit.model.attention import Slab, attend_slots, plan_attention
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.model.layers import Rotary, rms_norm, rotary, swiglu
from labkit.model.watch import PassWatch
from labkit.native.packed import PackedDecoder
from labkit.native.scratch import ScratchBuffers
from labkit.weights.frequencies import inverse_frequencies
from labkit.weights.parameters import LayerWeights, ModelWeights, Projection

__all__ = ["Decoder"]


@dataclass(frozen=True, slots=True)
class _Step:
    """What all layers of one forward pass share."""

    slots: Tensor  # int64 [tokens], where new keys and values go
    turn: Rotary
    slabs: tuple[Slab, ...]
    kv: KVStore
    watch: PassWatch | None


class Decoder:
    """A Llama-family decoder over weights that it never changes.

    Where it has a `packed` twin, that one computes.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: ModelWeights,
        packed: PackedDecoder | None = None,
    ) -> None:
        self.config = config
        self.weights = weights
        self.packed = packed
        self._frequencies = inverse_frequencies(config, self.device)  # [d/2]

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where inputs must be."""
        return self.weights.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights and of keys and values."""
        return self.weights.embedding.dtype

    @property
    def kernels(self) -> str:
        """What computes: "native", the kernels in C, or "torch"."""
        return "torch" if self.packed is None else "native"

    def without_kernels(self) -> Decoder:
        """The same weights, computed by PyTorch: the readable path."""
        return Decoder(self.config, self.weights)

    def new_scratch(self) -> ScratchBuffers | None:
        """Memory for one pass at a time, if passes need any, to be given to each."""
        return None if self.packed is None else self.packed.new_scratch()

    def new_store(self, num_slots: int, kind: type[KVStore] = KVStore) -> KVStore:
        """Room for the keys and values of `num_slots` tokens, as `forward` wants it."""
        return kind(self.config, num_slots, dtype=self.dtype, device=self.device)

    @torch.inference_mode()
    def forward(
        self,
        inputs: ForwardInputs,
        kv: KVStore,
        *,
        scratch: ScratchBuffers | None = None,
        num_layers: int | None = None,
        watch: PassWatch | None = None,
    ) -> Tensor:
        """float32 logits [scored tokens, vocab] of `inputs.logit_indices`.

        With `num_layers` it leaves after that many layers: an early exit's guess. Who
        computes often brings its own `scratch` (of `new_scratch`, for one pass at a
        time); without it a pass makes some and drops it. `watch` is shown every layer,
        which only PyTorch can: `ConfigError` where the kernels compute.
        Writes the new tokens' keys and values to `inputs.write_slots` of `kv` first,
        so `inputs.read_slots` may (and must) name those slots too.
        """
        depth = num_layers or self.config.num_layers
        x = embedding(inputs.token_ids, self.weights.embedding)  # [tokens, width]
        if self.packed is not None:
            if watch is not None:
                raise ConfigError("watch= needs kernels='torch': C shows no layers")
            room = scratch or self.packed.new_scratch()
            return self.packed.run(x, inputs, kv, room, depth)
        inputs.check()
        x = self._run(x, inputs, self._step(inputs, kv, watch), depth)
        normed = rms_norm(x, self.weights.final_norm, self.config.norm_eps)
        return linear(normed, self.weights.head).float()

    def _run(self, x: Tensor, inputs: ForwardInputs, step: _Step, depth: int) -> Tensor:
        """x [tokens, width] through `depth` layers: [scored tokens, width].

        The last layer needs everyone's keys and values, and no more than that of a
        token that is not scored, unless someone watches.
        """
        watch = step.watch
        if watch is not None:
            watch.hidden(0, x.clone())
        for index, layer in enumerate(self.weights.layers[:depth]):
            normed = rms_norm(x, layer.attention_norm, self.config.norm_eps)
            self._remember(index, layer, normed, step)
            if index == depth - 1 and not inputs.scores_all and watch is None:
                chosen = inputs.logit_indices
                x, normed = x[chosen], normed[chosen]
                if len(chosen) == 0:
                    break
                step = self._step(inputs.scored(), step.kv, None)
            x += self._attention(index, layer, normed, step)
            x += self._feed_forward(layer, x)
            if watch is not None:
                watch.hidden(index + 1, x.clone())
        return x if watch is None else x[inputs.logit_indices]

    def _step(
        self, inputs: ForwardInputs, kv: KVStore, watch: PassWatch | None
    ) -> _Step:
        group = self.config.num_heads // self.config.num_kv_heads
        turn = Rotary.at(inputs.positions, self._frequencies)
        slabs = plan_attention(inputs, group, kv.dtype)
        return _Step(inputs.write_slots, turn, slabs, kv, watch)

    def _remember(
        self, index: int, layer: LayerWeights, normed: Tensor, step: _Step
    ) -> None:
        """Put the new tokens' keys and values into their slots."""
        keys = self._heads(normed, layer.key, layer.key_norm)
        values = self._heads(normed, layer.value, None)
        step.kv.write(index, step.slots, rotary(keys, step.turn), values)

    def _attention(
        self, index: int, layer: LayerWeights, normed: Tensor, step: _Step
    ) -> Tensor:
        queries = rotary(self._heads(normed, layer.query, layer.query_norm), step.turn)
        mixed = attend_slots(queries, step.kv, index, step.slabs, step.watch)
        return linear(mixed.flatten(1), layer.output)  # [tokens, width]

    def _heads(self, x: Tensor, to: Projection, norm: Tensor | None) -> Tensor:
        """Project x [tokens, width] to [tokens, heads, head_dim], normed if asked."""
        flat = linear(x, to.weight, to.bias)
        heads = flat.view(len(x), -1, self.config.head_dim)
        return heads if norm is None else rms_norm(heads, norm, self.config.norm_eps)

    def _feed_forward(self, layer: LayerWeights, x: Tensor) -> Tensor:
        normed = rms_norm(x, layer.ffn_norm, self.config.norm_eps)
        return swiglu(normed, layer.gate, layer.up, layer.down)

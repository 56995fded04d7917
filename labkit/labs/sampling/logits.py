"""The logits of a text from the engine's own decoder, for looking at.

One forward pass over all of `ids` in a key/value store of its own: nothing of the
engine's pool is touched and no request is made. Each row equals what the engine would
give its sampler at that place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from labkit.engine import Engine
from labkit.model.inputs import ForwardInputs
from labkit.model.loaded import LoadedModel
from labkit.model.watch import PassWatch

__all__ = ["next_logits", "prompt_ids"]


def prompt_ids(engine: Engine, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """The tokens of a conversation as the model's own template writes it."""
    text = engine.template.render(messages)
    return engine.tokenizer.encode(text, allow_special=True)


@torch.inference_mode()
def next_logits(
    model: LoadedModel,
    ids: Sequence[int],
    last: int = 1,
    watch: PassWatch | None = None,
) -> Tensor:
    """float32 [last, vocab]: after each of the `last` tokens, what may come next.

    `watch` is shown hidden states and attention weights of every layer; that needs a
    model which PyTorch computes: `lab.engine_with(kernels="torch").model`.
    """
    decoder, size = model.decoder, len(ids)
    places = torch.arange(size, device=decoder.device)
    store = decoder.new_store(size)
    inputs = ForwardInputs(
        token_ids=torch.tensor(ids, device=decoder.device),
        positions=places,
        write_slots=places,
        read_slots=places.unsqueeze(0),
        query_lens=(size,),
        context_lens=(size,),
        num_logits=(last,),
    )
    return decoder.forward(inputs, store, watch=watch).clone()

"""How a loaded model wants a conversation written: its own chat template."""

from __future__ import annotations

from labkit.errors import WeightsError
from labkit.model.loaded import LoadedModel
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer

__all__ = ["chat_template"]


def chat_template(model: LoadedModel, tokenizer: Tokenizer) -> ChatTemplate:
    """The template with the texts of its special tokens; `WeightsError` without one."""
    spec = model.tokenizer
    if spec.chat_template is None:
        raise WeightsError(
            f"{model.name} has no chat template: load a chat model, or add token ids "
            "of a prompt of your own"
        )
    ends = (spec.bos_id, next(iter(spec.eos_ids), None))
    bos, eos = (
        "" if i is None else tokenizer.decode([i], skip_special=False) for i in ends
    )
    return ChatTemplate(spec.chat_template, bos=bos, eos=eos)

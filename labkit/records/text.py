"""What a tokenizer is rebuilt from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TokenizerSpec"]


@dataclass(frozen=True, slots=True)
class TokenizerSpec:
    """All that is needed to rebuild a model's tokenizer, without any I/O.

    Either `json` (a Hugging Face tokenizer.json) or the lists of a GGUF file are given.
    """

    eos_ids: tuple[int, ...]
    chat_template: str | None  # Jinja source
    bos_id: int | None = None
    json: str | None = None
    tokens: tuple[str, ...] = ()  # GGUF: vocabulary in byte-level characters
    token_types: tuple[int, ...] = ()  # GGUF: 1 normal, 3 control, 4 user defined
    merges: tuple[str, ...] = ()  # GGUF: "left right", best first
    pre: str = ""  # GGUF: name of the pre-tokenizer

"""What the server tells of an engine that is ready, and what it must know to chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.errors import WeightsError
from labkit.text.tokenizer import Tokenizer
from server.backends.protocol import Served

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = ["served_by"]


def served_by(engine: Engine) -> Served:
    """The model of `engine`, its limits, and why it cannot be chatted with, if so."""
    max_context = engine.config.max_context
    assert max_context is not None, "an engine resolves its config"
    return Served(
        engine.model_name,
        str(engine.device),
        max_context,
        _longest_token(engine.tokenizer),
        str(engine.kernels),
        template_fault=_template_fault(engine),
    )


def _template_fault(engine: Engine) -> str | None:
    """Why there can be no chat; the engine computes tokens all the same."""
    try:
        assert engine.template, "a template that cannot be used raises"
    except WeightsError as error:
        return str(error)
    return None


def _longest_token(tokenizer: Tokenizer) -> int:
    """The most characters of a prompt that one token can stand for."""
    texts = (
        tokenizer.label(i) if tokenizer.is_special(i) else tokenizer.token_bytes(i)
        for i in range(tokenizer.vocab_size)
    )
    return max(map(len, texts))

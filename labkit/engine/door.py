"""What a request must be to be let in: checks on numbers, before anything is kept.

Refuses at the door what no waiting could serve, so that nothing deadlocks inside.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike

from labkit.errors import InputError, NeverFits
from labkit.sequence import SamplingParams

__all__ = ["refuse_misfits"]


def refuse_misfits(
    prompt_ids: ListLike[int],
    params: SamplingParams,
    vocab_size: int,
    max_context: int,
) -> None:
    """Raise `InputError` or `NeverFits` for a prompt or knobs that cannot work."""
    if not prompt_ids:
        raise InputError(
            "the prompt has no tokens: give at least one", param="messages"
        )
    if len(prompt_ids) >= max_context:
        raise NeverFits(
            f"the prompt has {len(prompt_ids)} tokens; prompt and answer together have "
            f"room for {max_context}: shorten the prompt to {max_context - 1} or less",
            param="messages",
        )
    _refuse_unknown(prompt_ids, vocab_size, "messages")
    _refuse_unknown([token for token, _ in params.logit_bias], vocab_size, "logit_bias")


def _refuse_unknown(ids: ListLike[int], vocab_size: int, param: str) -> None:
    for token_id in ids:
        if not 0 <= token_id < vocab_size:
            raise InputError(
                f"{param}: token id {token_id} is not in the vocabulary; "
                f"use 0 to {vocab_size - 1}",
                param=param,
            )

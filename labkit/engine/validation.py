"""Checks of a new request, on numbers, before anything is kept of it.

Refuses what no waiting could serve, so that nothing blocks the queue for ever.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike

from labkit.errors import InputError, NeverFits
from labkit.sequence import SamplingParams

__all__ = ["refuse_crowds", "refuse_misfits", "refuse_unknown"]


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
    refuse_unknown(prompt_ids, vocab_size, "messages")
    refuse_unknown([token for token, _ in params.logit_bias], vocab_size, "logit_bias")


def refuse_unknown(ids: ListLike[int], vocab_size: int, param: str) -> None:
    """Raise `InputError` for the first token id that the model does not have."""
    for token_id in ids:
        if not 0 <= token_id < vocab_size:
            raise InputError(
                f"{param}: token id {token_id} is not in the vocabulary; "
                f"use 0 to {vocab_size - 1}",
                param=param,
            )


def refuse_crowds(n: int, most: int) -> None:
    """Raise `NeverFits` for more answers at once than can run and wait together."""
    if not 1 <= n <= most:
        raise NeverFits(
            f"n={n}: at most {most} requests can run and wait together: "
            f"ask for 1 to {most}",
            param="n",
        )

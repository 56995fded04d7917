"""New sequences that begin as another one did: choices of a prompt, forks of an answer.

Pure: nothing is queued here, and the other sequence is not changed. The invariant is
that both have their first `num_shared` tokens in common.
"""

from __future__ import annotations

from dataclasses import replace

from labkit.errors import InputError
from labkit.sequence import SamplingParams, Sequence

__all__ = ["choice", "forked"]


def choice(first: Sequence, request: str, number: int) -> Sequence:
    """Another answer to `first`'s prompt, drawn with noise of its own."""
    params = replace(first.params, seed=(first.params.seed or 0) + number)
    made = Sequence(request, first.prompt_ids, params, first.arrival_s)
    made.salt, made.parent = first.salt, first
    made.num_shared = len(first.prompt_ids) - 1  # the last one gives it its logits
    return made


def forked(
    parent: Sequence, request: str, at: int | None, params: SamplingParams, now_s: float
) -> Sequence:
    """`parent` up to output position `at` (None: all of it), to go on from there."""
    num_output = len(parent.output_ids) if at is None else at
    if not 0 <= num_output <= len(parent.output_ids):
        raise InputError(
            f"at={at}: {parent.request} has {len(parent.output_ids)} output tokens; "
            f"use 0 to {len(parent.output_ids)}",
            param="at",
        )
    if num_output >= params.max_tokens:
        raise InputError(
            f"at={num_output}: max_tokens={params.max_tokens} leaves nothing to go on "
            "with; raise it or fork earlier",
            param="at",
        )
    made = Sequence(request, parent.prompt_ids, params, now_s)
    made.output_ids = parent.output_ids[:num_output]
    made.salt, made.parent = parent.salt, parent
    made.num_shared = made.num_tokens - 1
    return made

"""Drafted tokens before the target model: how many stand, and what comes next.

Speculative decoding scores several drafted tokens in one pass. Here the target judges
them so that the law of the output is the model's own, whoever drafted: rejection
sampling (Leviathan, arXiv 2211.17192; Chen, arXiv 2302.01318). The engine uses
`num_standing`; with it the tokens themselves are those of plain decoding.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike
from dataclasses import replace
from hashlib import blake2b

from torch import Tensor

from labkit.sampling.pipeline import exponential_noise
from labkit.sequence import Sequence

__all__ = ["hypotheses", "num_standing", "reject", "stream"]


def hypotheses(sequence: Sequence, draft_ids: ListLike[int]) -> list[Sequence]:
    """The sequence as it would be after none, one, ... all of `draft_ids`.

    One for each place that is judged: penalties count the drafts before it, and its
    noise is that of the place, as if the drafts had been decoded one by one.
    """
    output = sequence.output_ids
    places = range(1, len(draft_ids) + 1)
    grown = [replace(sequence, output_ids=[*output, *draft_ids[:i]]) for i in places]
    return [sequence, *grown]


def num_standing(draft_ids: ListLike[int], chosen_ids: ListLike[int]) -> int:
    """How many drafts stand: those before the first that the target did not choose.

    `chosen_ids[i]` is the target's own draw at place i of `hypotheses`; the output goes
    on with `chosen_ids[:num_standing + 1]`. The noise of a draw depends on seed and
    place alone, so this is what plain decoding would have drawn, token for token.

    It is rejection sampling too. A draft d that the target's noise had no part in is
    the point mass q(d) = 1. It stands with the chance that the draw is d, p(d), which
    is min(1, p(d) / q(d)); and given that it falls, the draw x has the law
    p(x) / (1 - p(d)) for x other than d, which is max(0, p - q) normalised.
    """
    pairs = zip(draft_ids, chosen_ids, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(draft_ids))


def reject(
    target: Tensor, drafter: Tensor, draft_ids: ListLike[int], seed: int, place: int
) -> tuple[int, int]:
    """How many drafts stand, and the next token, for drafts drawn from a law of theirs.

    `target` [drafts + 1, vocab] and `drafter` [drafts, vocab] are probabilities after
    all stages. Draft i must be drawn from `drafter[i]` independently of `seed`'s noise
    here, as with the noise of `stream(seed, "draft")`. It stands with the chance
    min(1, p / q); the first that falls is replaced by a draw from max(0, p - q),
    normalised. The law is p, but tokens differ from plain decoding, and they depend on
    how far ahead was drafted, so on the batch: hence the engine does not use it.
    """
    for i, draft_id in enumerate(draft_ids):
        uniform = exponential_noise(stream(seed, "stand"), place + i, 1).neg().exp()
        if float(uniform * drafter[i, draft_id]) <= float(target[i, draft_id]):
            continue
        return i, _race((target[i] - drafter[i]).clamp(min=0), seed, place + i)
    return len(draft_ids), _race(target[-1], seed, place + len(draft_ids))


def stream(seed: int, name: str) -> int:
    """A seed for noise that is independent of `seed`'s own, one for each `name`."""
    digest = blake2b(f"{name}/{seed}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _race(weights: Tensor, seed: int, place: int) -> int:
    noise = exponential_noise(seed, place, len(weights)).to(weights.device)
    return int((weights / noise).argmax())

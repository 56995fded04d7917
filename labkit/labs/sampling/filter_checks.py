"""What a sampling filter has to keep to run in the engine, one check a function.

A filter takes logits [rows, vocab] and gives logits; minus infinity drops a token. Each
check calls it on vectors of its own, and the last one draws with it in the engine's own
sampler. A check returns, or raises `AssertionError` with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from labkit.sampling.pipeline import SamplingRows, sample
from labkit.sampling.stages import Stage
from labkit.sequence import SamplingParams
from labkit.sequence import Sequence as Row

__all__ = [
    "Filter",
    "adapts",
    "gives_a_mask",
    "gives_zeros",
    "ignores_a_constant",
    "is_drawn_from",
    "judges_rows_alone",
    "keeps_or_drops",
    "keeps_the_best",
    "stage_of",
]

Filter = Callable[[Tensor], Tensor]
VOCAB = 400
NUM_DRAWS = 100


def stage_of(keep: Filter) -> Stage:
    """A filter as a stage of the sampler; it runs where `min_p` is set."""
    return Stage("yours", ("min_p",), lambda logits, _: keep(logits))


def keeps_or_drops(keep: Filter) -> None:
    """Same shape, argument untouched, and every logit as it was or minus infinity."""
    logits = _rows()
    before = logits.clone()
    found = _kept(keep, logits)
    assert torch.equal(logits, before), "it changed the logits that it was given"
    is_same = (found == logits) | (found == -torch.inf)
    num_other = int((~is_same).sum())
    assert num_other == 0, f"{num_other} logits were changed to something else"


def keeps_the_best(keep: Filter) -> None:
    """The likeliest token of every row survives, so no row is ever empty."""
    logits = _rows()
    best = logits.argmax(dim=-1, keepdim=True)
    lost = int((_kept(keep, logits).gather(1, best) == -torch.inf).sum())
    assert lost == 0, f"{lost} of {len(logits)} rows lost their likeliest token"


def ignores_a_constant(keep: Filter) -> None:
    """The same tokens survive when a constant is added to all logits."""
    logits = _rows()
    for constant in (-30.0, 30.0):
        moved = _survivors(keep, logits + constant) != _survivors(keep, logits)
        count = int(moved.sum())
        assert count == 0, f"adding {constant:g} changed the fate of {count} tokens"


def judges_rows_alone(keep: Filter) -> None:
    """A row's tokens survive alone as they do beside others."""
    logits = _rows()
    together = _survivors(keep, logits)
    for place, row in enumerate(logits):
        alone = _survivors(keep, row[None])[0]
        assert torch.equal(alone, together[place]), (
            f"row {place} keeps {int(alone.sum())} tokens alone and "
            f"{int(together[place].sum())} in a batch"
        )


def adapts(keep: Filter) -> None:
    """A flat row keeps more tokens than one with a clear favourite."""
    flat, peaked = _survivors(keep, _rows())[:2].sum(dim=-1).tolist()
    assert flat > peaked, (
        f"a flat row keeps {flat} of {VOCAB} tokens and one with a clear favourite "
        f"keeps {peaked}"
    )


def is_drawn_from(keep: Filter) -> None:
    """The engine's sampler, with the filter as a stage, draws survivors only."""
    logits = _rows()
    survivors = _survivors(keep, logits)
    for seed in range(NUM_DRAWS):
        params = SamplingParams(seed=seed, min_p=0.5)  # min_p only switches it on
        rows = [Row(f"row-{i}", (), params, 0.0, []) for i in range(len(logits))]
        batch = SamplingRows.build(rows, VOCAB, logits.device)
        drawn = sample(logits, batch, stages=[stage_of(keep)]).token_ids
        dropped = [i for i, token in enumerate(drawn) if not survivors[i, token]]
        assert not dropped, f"with seed {seed} a dropped token was drawn"


def gives_a_mask(keep: Filter) -> bool:
    """A usual mistake: yes or no for each token in place of logits."""
    return keep(torch.tensor([[3.0, 2.0, -50.0]])).dtype == torch.bool


def gives_zeros(keep: Filter) -> bool:
    """A usual mistake: a dropped token has 0, which is a logit like others."""
    return 0.0 in keep(torch.tensor([[30.0, 2.0, -50.0]])).flatten().tolist()


def _rows() -> Tensor:
    """Four rows: flat, with a clear favourite, ordinary, and far below zero."""
    source = torch.Generator().manual_seed(9)
    rows = torch.rand(4, VOCAB, generator=source)
    rows[1, 7] += 20
    rows[2] = 3 * torch.randn(VOCAB, generator=source)
    rows[3] = 3 * torch.randn(VOCAB, generator=source) - 40
    return rows


def _kept(keep: Filter, logits: Tensor) -> Tensor:
    found = keep(logits)
    assert isinstance(found, Tensor), f"it gave a {type(found).__name__}, not a tensor"
    assert found.shape == logits.shape, (
        f"it gave a tensor {[*found.shape]} for logits {[*logits.shape]}"
    )
    assert found.dtype == logits.dtype, f"it gave {found.dtype}, not {logits.dtype}"
    return found


def _survivors(keep: Filter, logits: Tensor) -> Tensor:
    return _kept(keep, logits.clone()) > -torch.inf

"""The noise of a draw: one exponential number a token, for each row alone.

A row's noise depends on its seed and on the place in its output, never on the batch, on
time or on the device: it is made on the CPU from a generator of its own. The invariant
is that equal seed and place give equal noise.
"""

from __future__ import annotations

from hashlib import blake2b

import torch
from torch import Tensor

from labkit.sampling.rows import SamplingRows

__all__ = ["exponential_noise", "race_noise"]

LONGEST = 40.0  # beyond -log(2**-53); keeps the noise of a uniform 0 finite


def race_noise(rows: SamplingRows) -> Tensor:
    """Noise for the next token of every row: float32 [rows, vocab], above 0."""
    noises = []
    for sequence in rows.sequences:
        seed, place = sequence.params.seed, len(sequence.output_ids)
        assert seed is not None, f"{sequence.request} has no seed: Engine.add gives one"
        noises.append(exponential_noise(seed, place, rows.vocab_size))
    return torch.stack(noises).to(rows.device)


def exponential_noise(seed: int, place: int, size: int) -> Tensor:
    """`size` draws of the exponential law with mean 1: float32 [size].

    Uniform numbers of 53 bits go through -log; torch's own exponential draw is slower
    and differs from platform to platform.
    """
    digest = blake2b(f"{seed}/{place}".encode(), digest_size=8).digest()
    source = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    uniform = torch.rand(size, generator=source, dtype=torch.float64)  # [0, 1)
    return uniform.log_().neg_().clamp_(max=LONGEST).float()

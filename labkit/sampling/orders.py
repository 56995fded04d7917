"""The same stages in the order of four engines, and where their rules differ.

Restated from the engines' behaviour (vLLM 0.33, transformers 5.23, llama.cpp v0.5.0,
SGLang 0.5.9's torch path), without their defaults and without samplers that labkit
lacks. labkit's own order is that of transformers, with logit bias and output penalties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from labkit.sampling import stages
from labkit.sampling.rows import SamplingRows
from labkit.sampling.stages import DROPPED, Stage, bounded, penalise_repetition

__all__ = ["ORDERS", "STAGES"]

LLAMA_CPP_WINDOW = 64  # tokens of prompt and output that its penalties look back on


def _recent(rows: SamplingRows) -> Tensor:
    return rows.counts(with_prompt=True, last=LLAMA_CPP_WINDOW)


def _recent_repetition(logits: Tensor, rows: SamplingRows) -> Tensor:
    return penalise_repetition(logits, rows, _recent(rows) > 0)


def _recent_frequency(logits: Tensor, rows: SamplingRows) -> Tensor:
    return bounded(logits - rows.column("frequency_penalty") * _recent(rows))


def _recent_presence(logits: Tensor, rows: SamplingRows) -> Tensor:
    present = (_recent(rows) > 0).float()
    return bounded(logits - rows.column("presence_penalty") * present)


def _exactly_k(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Keep exactly k; of tied tokens the lower ids win."""
    k = rows.top_k()
    worst = logits.topk(int(k.max()), dim=-1).values.gather(1, k - 1)
    is_tied = logits == worst
    room = k - (logits > worst).sum(dim=-1, keepdim=True)  # for the tied ones
    is_kept = (logits > worst) | (is_tied & (is_tied.cumsum(dim=-1) <= room))
    return torch.where(is_kept, logits, DROPPED)


def _joint_filters(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Top-k, top-p and min-p, all judged on one softmax that is never renormalised.

    A token falls to top-p when the mass of those before it is strictly above p.
    """
    falling, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    before = falling.cumsum(dim=-1) - falling
    ranks = torch.arange(rows.vocab_size, device=rows.device)
    is_dropped = ranks >= rows.top_k()
    is_dropped |= before > rows.column("top_p")
    is_dropped |= falling < rows.column("min_p") * falling[:, :1]
    return logits.masked_fill(is_dropped.scatter(1, order, is_dropped), DROPPED)


PENALTIES = (
    stages.REPETITION_PENALTY,
    stages.FREQUENCY_PENALTY,
    stages.PRESENCE_PENALTY,
)
FILTERS = (stages.TOP_K, stages.TOP_P, stages.MIN_P, stages.TYPICAL)
STAGES = (stages.LOGIT_BIAS, *PENALTIES, stages.TEMPERATURE, *FILTERS)

ORDERS: Mapping[str, tuple[Stage, ...]] = MappingProxyType(
    {
        "labkit": STAGES,
        "transformers": (stages.REPETITION_PENALTY, stages.TEMPERATURE, *FILTERS),
        "vllm": (
            stages.LOGIT_BIAS,
            *PENALTIES,
            stages.TEMPERATURE,
            stages.MIN_P,
            stages.TOP_K,
            stages.TOP_P,
        ),
        "llama_cpp": (
            stages.LOGIT_BIAS,
            replace(stages.REPETITION_PENALTY, apply=_recent_repetition),
            replace(stages.FREQUENCY_PENALTY, apply=_recent_frequency),
            replace(stages.PRESENCE_PENALTY, apply=_recent_presence),
            replace(stages.TOP_K, apply=_exactly_k),
            stages.TYPICAL,
            stages.TOP_P,
            stages.MIN_P,
            stages.TEMPERATURE,
        ),
        "sglang": (
            stages.TEMPERATURE,
            Stage("top_k+top_p+min_p", ("top_k", "top_p", "min_p"), _joint_filters),
        ),
    }
)

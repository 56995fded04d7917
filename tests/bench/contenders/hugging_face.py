"""transformers' `generate` in float32 on the very same weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.generation.streamers import BaseStreamer

from labkit.model.weights import load_model
from tests.support.oracle import transformers_model

__all__ = ["HuggingFace"]


class HuggingFace:
    """A transformers model; greedy, with its key-value cache."""

    def __init__(self, weights: str, threads: int) -> None:
        torch.set_num_threads(threads)
        plain = load_model(
            Path(weights), device="cpu", dtype=torch.float32, kernels="torch"
        )
        self._model = transformers_model(plain)
        self._model.generation_config.eos_token_id = None

    def facts(self) -> dict[str, Any]:
        """Version and the bytes of its weights."""
        tensors = {p.data_ptr(): p.nbytes for p in self._model.parameters()}
        num_bytes = sum(tensors.values())  # a tied head is counted once
        return {"transformers": transformers.__version__, "tensor_bytes": num_bytes}

    def decode(
        self, prompts: Sequence[Sequence[int]], num_tokens: int
    ) -> dict[str, Any]:
        """Greedy continuations of prompts of one length, the first token untimed."""
        stamps = self._generate(prompts, num_tokens)
        num_decoded = len(prompts) * (num_tokens - 1)
        return {"tokens": num_decoded, "wall_s": stamps[-1] - stamps[1]}

    def prefill(self, prompt: Sequence[int]) -> float:
        """Seconds from the prompt to its first token."""
        started = time.perf_counter()
        return self._generate([prompt], 1)[1] - started

    @torch.inference_mode()
    def _generate(
        self, prompts: Sequence[Sequence[int]], num_tokens: int
    ) -> list[float]:
        """When the prompt and then each token was handed over."""
        stamps = _Stamps()
        ids = torch.tensor(prompts)
        self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=num_tokens,
            max_new_tokens=num_tokens,
            pad_token_id=0,
            streamer=stamps if len(prompts) == 1 else None,
        )
        return stamps.times


class _Stamps(BaseStreamer):
    """Notes when each token came."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        """Nothing is held back."""

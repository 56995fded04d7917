"""Fixtures that several folders of tests need: the weights and one loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labkit.model.loaded import LoadedModel


@pytest.fixture(scope="session")
def weights() -> Path:
    """The GGUF of SmolLM2-135M-Instruct, fetched if the cache has none."""
    from labkit.model.fetch import weights_path

    return weights_path()


@pytest.fixture(scope="session")
def smollm2(weights: Path) -> LoadedModel:
    """The real model in float32 on the CPU, two threads, loaded once a session."""
    import torch

    from labkit.model.weights import load_model

    torch.set_num_threads(2)
    return load_model(weights, device="cpu")

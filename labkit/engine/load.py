"""An engine ready to use, from weights on disk or fetched on first use."""

from __future__ import annotations

from pathlib import Path

from labkit.clock import Clock, SystemClock
from labkit.config import EngineConfig
from labkit.engine.engine import Engine
from labkit.model.fetch import weights_path
from labkit.model.weights import load_model

__all__ = ["load"]


def load(
    path: Path | str | None = None,
    *,
    device: str = "auto",
    config: EngineConfig | None = None,
    clock: Clock | None = None,
) -> Engine:
    """Load the model at `path`, a GGUF file or a Hugging Face directory.

    Without a path it is SmolLM2-135M-Instruct, fetched if it is not in the cache.
    """
    where = weights_path() if path is None else Path(path)
    chosen = config or EngineConfig()
    model = load_model(where, device=device, kernels=chosen.kernels)
    return Engine(model, chosen, clock or SystemClock())

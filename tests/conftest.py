"""Fixtures of several folders: the weights, one model, one browser, one JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from labkit.model.loaded import LoadedModel
    from tests.support.browser import Windows
    from tests.support.jupyter import JupyterLab


@pytest.fixture(scope="session")
def weights() -> Path:
    """The GGUF of SmolLM2-135M-Instruct, fetched if the cache has none."""
    from labkit.model.fetch import weights_path

    return weights_path()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for all tests: what is in it is named after what it was made of.

    Hence a small model's kernels are compiled once, not once a test.
    """
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def smollm2(weights: Path) -> LoadedModel:
    """The real model as a reader gets it on the CPU, two threads, loaded once."""
    import torch

    from labkit.model.weights import load_model

    torch.set_num_threads(2)
    return load_model(weights, device="cpu")


@pytest.fixture(scope="session")
def smollm2_float32(smollm2: LoadedModel, weights: Path) -> LoadedModel:
    """The same weights, with everything computed in float32."""
    from labkit.model.weights import load_model

    exact = load_model(weights, device="cpu", kernels="torch")
    assert exact.decoder.packed is None
    return exact


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """Debian's chromium, headless; one for all browser tests."""
    from tests.support.browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """One JupyterLab for all browser tests, over a folder that they fill."""
    from tests.support.jupyter import JupyterLab

    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    server = JupyterLab(folder, home)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def windows(chrome: Browser, lab: JupyterLab) -> Windows:
    """Windows of the browser in which JupyterLab is loaded."""
    from tests.support.browser import Windows

    return Windows(chrome, lab)

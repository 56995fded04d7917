"""Each folder imports only what its row allows, so that a cycle cannot be written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.rules import layers, tree

SOURCES = tree.python("labkit", "server")


def test_there_are_sources_to_check() -> None:
    assert len(SOURCES) > 20


def test_labkits_table_names_only_earlier_rows() -> None:
    order = list(layers.LABKIT)
    for name, below in layers.LABKIT.items():
        assert all(order.index(b) < order.index(name) for b in below), name


def test_servers_table_names_only_earlier_rows() -> None:
    order = list(layers.SERVER)
    for name, (below, _) in layers.SERVER.items():
        assert all(order.index(b) < order.index(name) for b in below), name


def test_policies_of_the_server_never_import_each_other() -> None:
    for name in layers.POLICIES:
        assert not set(layers.POLICIES) & set(layers.SERVER[name][0])


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_stay_below(path: Path) -> None:
    assert layers.floor_faults(path, tree.read(path)) == []


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_libraries_stay_in_their_files(path: Path) -> None:
    assert layers.library_faults(path, tree.read(path)) == []


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_environment_is_read_in_one_file(path: Path) -> None:
    assert layers.environment_faults(path, tree.read(path)) == []


@pytest.mark.parametrize("entry", ["__main__", "colab"])
def test_what_runs_before_set_up_needs_the_standard_library_only(entry: str) -> None:
    todo, seen = {f"scripts.{entry}"}, set[str]()
    while todo:
        name = todo.pop()
        seen.add(name)
        path = Path(*name.split(".")).with_suffix(".py")
        if not (tree.ROOT / path).is_file():
            continue  # a function or class of a module that is read too
        for needed in layers.imported(path, tree.read(path)):
            top, _, rest = needed.partition(".")
            assert top == "scripts" or top in sys.stdlib_module_names, path
            if top == "scripts" and rest:
                todo |= {needed, needed.rpartition(".")[0]} - seen - {"scripts"}
    assert ("scripts.environment" in seen) == (entry == "__main__")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("labkit/clock.py", "from labkit.config import EngineConfig"),
        ("labkit/text/sse.py", "def f():\n    from labkit.model import decoder"),
        ("labkit/weights/parsed.py", "from labkit.model import layers"),
        ("labkit/engine/load.py", "from labkit.weights import parsed"),
        ("labkit/text/sse.py", "from ..engine import engine"),
        ("labkit/text/sse.py", "from labkit import engine"),
        ("labkit/widgets/a.py", "import labkit.engine.engine"),
        ("labkit/book/start.py", "from server.app import create_app"),
        (
            "labkit/book/start.py",
            "import importlib\nimportlib.import_module('server.x')",
        ),
        ("labkit/labs/cache/pool_log.py", "from labkit.book import start"),
        ("labkit/net/client.py", "from tests.support import x"),
        ("labkit/misc/thing.py", ""),
        ("server/limits.py", "from server.safety import screen"),
        ("server/limits.py", "from labkit.engine.engine import Engine"),
        ("labkit/dialects/openai.py", "from server.errors import problem_of"),
        ("labkit/dialects/openai.py", "from labkit.engine.engine import Engine"),
        ("labkit/figures/pace.py", "from labkit.dialects.wire import ChunkReader"),
        ("server/misc.py", ""),
    ],
)
def test_an_import_that_reaches_up_is_found(name: str, source: str) -> None:
    assert len(layers.floor_faults(Path(name), source)) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("labkit/text/sse.py", "from . import links\nfrom labkit.text.links import L"),
        ("labkit/model/decoder.py", "from labkit.weights import parameters"),
        ("labkit/engine/engine.py", "from labkit.cache.blocks import BlockPool"),
        ("labkit/book/start.py", "from labkit import engine"),
        ("labkit/widgets/a.py", "from labkit.dialects.wire import ChunkReader"),
        ("server/app.py", "from server.pipeline import answer"),
    ],
)
def test_an_import_that_stays_below_is_allowed(name: str, source: str) -> None:
    assert layers.floor_faults(Path(name), source) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("labkit/cache/blocks.py", "import torch"),
        ("labkit/text/links.py", "from tokenizers import Tokenizer"),
        ("labkit/model/weights.py", "def f():\n    import transformers"),
        ("labkit/widgets/bar.py", "import plotly.graph_objects as go"),
        ("server/pipeline.py", "from fastapi import FastAPI"),
        ("server/app.py", "import requests"),
    ],
)
def test_a_library_in_the_wrong_file_is_found(name: str, source: str) -> None:
    assert len(layers.library_faults(Path(name), source)) == 1


def test_a_library_in_its_file_and_the_standard_library_are_allowed() -> None:
    source = "import json\nimport torch\nfrom labkit import clock"
    assert layers.library_faults(Path("labkit/engine/engine.py"), source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['A']",
        "import os\nos.getenv('A')",
        "from os import environ",
    ],
)
def test_reading_the_environment_elsewhere_is_found(source: str) -> None:
    assert len(layers.environment_faults(Path("server/app.py"), source)) == 1
    assert layers.environment_faults(Path("server/settings.py"), source) == []

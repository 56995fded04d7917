"""Every recording opens, and says where, when and how it was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.labs.recordings import open_recording
from tests.rules.tree import ROOT

DATA = Path(ROOT, "chapters", "data")
RECORDINGS = sorted(path.stem for path in DATA.glob("*.json"))


def test_there_are_recordings() -> None:
    assert {"10_request", "10_streams"} <= set(RECORDINGS)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_has_its_provenance(name: str) -> None:
    meta = open_recording(name, name[:2], [DATA]).meta
    missing = {"command", "date", "device", "model"} - set(meta)
    assert not missing

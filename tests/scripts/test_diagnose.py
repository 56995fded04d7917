"""Each way that an installer fails has its own sentence."""

from __future__ import annotations

import pytest

from scripts.diagnose import explain


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("ERROR: [Errno 28] No space left on device: 'x.whl'", "the disk is full"),
        ("The virtual environment was not created: ensurepip is not available", "venv"),
        ("npm error code EBADENGINE", "Node 20"),
        ("npm error errno ENOTFOUND\nnpm error network request failed", "network"),
        ("Temporary failure in name resolution", "check the network"),
        (
            "WARNING: Retrying: Failed to establish a new connection\n"
            "ERROR: No matching distribution found for torch",
            "check the network",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0", "torch==2.13.0"),
        (
            "ERROR: Could not find a version that satisfies the requirement a==1 "
            "(from versions: none)\nERROR: No matching distribution found for a==1",
            "finds no a==1 at all: check the network",
        ),
        ("ERROR: ResolutionImpossible: for help visit", "make pins"),
        ("PermissionError: [Errno 13] Permission denied: '.venv'", "cannot be written"),
        ("Segmentation fault", "does not know"),
        ("", "does not know"),
    ],
)
def test_a_log_becomes_one_sentence_with_the_remedy(log: str, words: str) -> None:
    sentence = explain(log)
    assert words in sentence
    assert "\n" not in sentence

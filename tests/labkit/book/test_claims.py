"""Claims: a tick, or a failing cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labkit.book import ClaimFailed, claim
from labkit.errors import ConfigError


@pytest.mark.parametrize("true", [True, np.bool_(True), torch.tensor(True)])
def test_a_true_claim_prints_its_tick(
    true: object, capsys: pytest.CaptureFixture[str]
) -> None:
    claim("the sum is right", true)
    assert capsys.readouterr().out == "✓ the sum is right\n"


@pytest.mark.parametrize("false", [False, np.bool_(False), torch.tensor(False)])
def test_a_false_claim_fails_the_cell_and_prints_nothing(
    false: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ClaimFailed, match="✗ the sum is right"):
        claim("the sum is right", false)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "condition", [1, None, "yes", [True], np.array([True]), torch.tensor(2.0)]
)
def test_what_is_no_yes_or_no_is_refused(condition: object) -> None:
    with pytest.raises(ConfigError, match="not True or False"):
        claim("x", condition)


def test_a_claim_that_ends_with_a_full_stop_is_refused_with_one() -> None:
    with pytest.raises(ClaimFailed, match=r"^✗ Two is one\. This run says otherwise"):
        claim("Two is one.", False)

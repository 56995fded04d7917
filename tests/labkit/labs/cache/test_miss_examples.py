"""Each pair of prompts misses for the cause that its name gives."""

from __future__ import annotations

import pytest

from labkit.labs.cache.miss_examples import examples
from labkit.widgets.prefix_cause import Cause, Prompt, compare

CAUSES = {
    "the time first": Cause.TIME,
    "the time last": Cause.TIME,
    "tools in another order": Cause.TOOLS,
    "keys in another order": Cause.KEYS,
    "beginning-of-text twice": Cause.DOUBLED,
    "another template": Cause.TEMPLATE,
}


def tokens(text: str) -> Prompt:
    """Bytes as tokens, but one for the control token."""
    return Prompt(text, tuple(text.replace("<|im_start|>", "\x01").encode()))


@pytest.mark.parametrize(("name", "cause"), CAUSES.items())
def test_cause_is_the_one_meant(name, cause) -> None:
    first, second = map(tokens, examples()[name])
    assert compare(first, second, 16).cause is cause


def test_every_example_is_checked() -> None:
    assert list(examples()) == list(CAUSES)

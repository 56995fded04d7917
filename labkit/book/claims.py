"""Facts that the notebook checks: a claim holds, or its cell fails.

It refuses conditions that are no plain yes or no, such as an array or a number, since
their truth would be an accident. Behind an open question a claim is checked as always
and only its line waits.
"""

from __future__ import annotations

import sys
from typing import Any

from labkit.book.gate import current_gate
from labkit.errors import ConfigError

__all__ = ["ClaimFailed", "claim"]


class ClaimFailed(AssertionError):
    """A statement of the book is not true on this machine."""


def claim(text: str, condition: Any) -> None:
    """Print `✓ text` if `condition` is True, else raise `ClaimFailed`.

    Scalars of numpy and torch count as the yes or no that they hold.
    """
    if not as_bool(text, condition):
        raise ClaimFailed(
            f"✗ {text.rstrip('.')}. This run says otherwise: compare the values above "
            "with the text; if the machine is right, please report it."
        )
    line = f"✓ {text}"
    if not current_gate().line(line):
        sys.stdout.write(f"{line}\n")


def as_bool(text: str, condition: Any) -> bool:
    """`condition` as a bool; `ConfigError` for anything that is not one."""
    is_scalar = hasattr(condition, "item") and getattr(condition, "ndim", None) == 0
    value = condition.item() if is_scalar else condition
    if isinstance(value, bool):
        return value
    raise ConfigError(
        f"claim({text!r}): the condition is {value!r}, not True or False; "
        "compare it with something"
    )

"""What each place a notebook runs in needs before widgets show; nothing at import.

It only asks which modules the host has already loaded, so it works without a network
and changes nothing in a place that it does not know. It also says whether the book is
being built or tested, which is told by two variables of the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from types import ModuleType

__all__ = ["Host", "find_host", "is_unlocked", "prepare"]


class Host(StrEnum):
    """Where this Python runs."""

    COLAB = "Colab"
    JUPYTER = "Jupyter"
    PLAIN = "plain Python"


def find_host(modules: Mapping[str, ModuleType] | None = None) -> Host:
    """The host, recognised by the modules that it has already imported."""
    loaded = sys.modules if modules is None else modules
    if "google.colab" in loaded:
        return Host.COLAB
    return Host.JUPYTER if "ipykernel" in loaded else Host.PLAIN


def prepare(host: Host) -> None:
    """Switch on what the host needs; Colab shows custom widgets only when asked."""
    if host is Host.COLAB:
        from google.colab import output  # noqa: PLC0415  # exists there only

        output.enable_custom_widget_manager()


def is_unlocked(environment: Mapping[str, str] | None = None) -> bool:
    """Whether answers are shown without a guess: in builds of the book and in tests."""
    found = os.environ if environment is None else environment
    return found.get("LAB_UNLOCKED") == "1" or "PYTEST_VERSION" in found

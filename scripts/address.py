"""The book's public address, read from pyproject.toml, or the fact that it has none.

Whatever installs the book elsewhere (Colab, Binder) is written only where there is an
address to install it from.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["PLACEHOLDER", "address_of", "public_address"]

PLACEHOLDER = "https://github.com/OWNER/REPO"
_GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")


def address_of(project: Mapping[str, Any]) -> str | None:
    """The address in pyproject.toml's table `project`, None for the placeholder."""
    url = str(project["urls"]["Repository"])
    return url if _GITHUB.fullmatch(url) and url != PLACEHOLDER else None


def public_address(root: Path) -> str | None:
    """The repository's address on GitHub, None where it has none yet."""
    data = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return address_of(data["project"])

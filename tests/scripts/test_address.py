"""The repository's address has one home, and a placeholder is no address."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.address import PLACEHOLDER, public_address


def project(folder: Path, url: str) -> Path:
    text = f'[project.urls]\nRepository = "{url}"\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_address_is_read_from_pyproject(tmp_path: Path) -> None:
    url = "https://github.com/ann/book"
    assert public_address(project(tmp_path, url)) == url


@pytest.mark.parametrize("url", [PLACEHOLDER, "https://example.org/lab"])
def test_a_placeholder_is_no_address(tmp_path: Path, url: str) -> None:
    assert public_address(project(tmp_path, url)) is None

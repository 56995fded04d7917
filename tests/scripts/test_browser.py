"""A browser is installed where we may, else its absence is one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.browser import PACKAGES, Machine, ensure_browser
from scripts.problem import Problem

READY = Machine(is_root=False, has_apt=True, has_chromium=True, missing=())
BARE = Machine(is_root=True, has_apt=True, has_chromium=False, missing=PACKAGES)


class Apt:
    """Remembers what it was asked, and looks like `after` once it has run."""

    def __init__(self, before: Machine, after: Machine, exit_code: int = 0) -> None:
        self.before, self.after, self.exit_code = before, after, exit_code
        self.calls: list[Sequence[str]] = []

    def run(self, command: Sequence[str], *_: Any, **__: Any) -> int:
        self.calls.append(command)
        return self.exit_code

    def look(self) -> Machine:
        return self.after if self.calls else self.before


def test_nothing_is_installed_where_all_is_there(tmp_path: Path) -> None:
    apt = Apt(READY, READY)
    ensure_browser(tmp_path, apt.look, apt.run)
    assert apt.calls == []


def test_root_with_apt_gets_browser_and_fonts(tmp_path: Path) -> None:
    apt = Apt(BARE, READY)
    ensure_browser(tmp_path, apt.look, apt.run)
    assert [call[1] for call in apt.calls] == ["update", "install"]
    assert set(PACKAGES) <= set(apt.calls[1])


@pytest.mark.parametrize("has_apt", [True, False])
def test_no_browser_and_no_right_to_install_is_one_sentence(
    tmp_path: Path, has_apt: bool
) -> None:
    machine = Machine(False, has_apt, has_chromium=False, missing=())
    apt = Apt(machine, machine)
    with pytest.raises(Problem, match="no `chromium` on PATH"):
        ensure_browser(tmp_path, apt.look, apt.run)
    assert apt.calls == []


def test_an_apt_that_fails_is_one_sentence(tmp_path: Path) -> None:
    apt = Apt(BARE, BARE, exit_code=100)
    with pytest.raises(Problem, match=r"apt could not install .*apt\.log says why"):
        ensure_browser(tmp_path, apt.look, apt.run)


def test_missing_fonts_are_said_where_they_cannot_be_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(False, True, has_chromium=True, missing=("fonts-noto-cjk",))
    ensure_browser(tmp_path, lambda: machine, Apt(machine, machine).run)
    assert "fonts-noto-cjk" in capsys.readouterr().out

"""`.venv` is made once, repaired when it is half made, and refused with a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts import environment
from scripts.problem import Problem

HERE = f"{sys.version.split()[0]} {sys.base_prefix}"
PYPROJECT = '[tool.labkit]\nsecond-openai = "openai==2.0.0"\n'


class Installer:
    """Takes the place of pip and venv: writes what they would, remembers the calls."""

    def __init__(self, exit_code: int = 0, words: str = "") -> None:
        self.exit_code, self.words = exit_code, words
        self.calls: list[list[str]] = []

    def __call__(self, command: Sequence[Any], log: Path, **_: Any) -> int:
        words = [str(part) for part in command]
        self.calls.append(words)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(self.words, encoding="utf-8")
        if words[1:3] == ["-m", "venv"] and not self.exit_code:
            python = Path(words[3]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
        return self.exit_code

    @property
    def extras(self) -> list[str]:
        """What pip was last asked to install."""
        return self.calls[-1][-1].strip(".[]").split(",")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    text = "numpy==1.0\nopenai==3.0.0\n"
    (tmp_path / "constraints.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_first_start_makes_a_venv_and_installs(root: Path) -> None:
    installer = Installer()
    python = environment.ensure(root, ["book"], installer)
    assert python == root / ".venv" / "bin" / "python"
    assert len(installer.calls) == 2
    assert {"-c", "constraints.txt", "-e", ".[book]"} <= set(installer.calls[1])


def test_the_second_start_installs_nothing(root: Path) -> None:
    environment.ensure(root, ["book"], Installer())
    again = Installer()
    environment.ensure(root, ["book"], again)
    assert again.calls == []


def test_fewer_extras_than_there_are_install_nothing(root: Path) -> None:
    environment.ensure(root, ["test", "book"], Installer())
    again = Installer()
    environment.ensure(root, ["book"], again)
    assert again.calls == []


def test_more_extras_keep_those_that_are_there(root: Path) -> None:
    environment.ensure(root, ["book"], Installer())
    again = Installer()
    environment.ensure(root, ["test"], again)
    assert again.extras == ["book", "test"]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "constraints.txt").write_text("numpy==2.0\n"),
        lambda root: (root / "pyproject.toml").write_text(PYPROJECT + "# more\n"),
    ],
    ids=["constraints", "pyproject"],
)
def test_a_changed_requirement_installs_again(
    root: Path, change: Callable[[Path], int]
) -> None:
    environment.ensure(root, ["book"], Installer())
    change(root)
    again = Installer()
    environment.ensure(root, ["book"], again)
    assert again.calls


def test_changed_javascript_installs_again_but_its_modules_do_not(root: Path) -> None:
    folder = root / "labkit" / "widgets" / "js"
    modules = folder / "node_modules"
    modules.mkdir(parents=True)
    (folder / "bar.js").write_text("1", encoding="utf-8")
    first = environment.inputs_hash(root)
    (modules / "x.js").write_text("1", encoding="utf-8")
    assert environment.inputs_hash(root) == first
    (folder / "bar.js").write_text("2", encoding="utf-8")
    assert environment.inputs_hash(root) != first


def test_changed_plugin_of_the_notebook_installs_again(root: Path) -> None:
    plugin = root / "labkit" / "widgets" / "labextensions" / "plugin.js"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("1", encoding="utf-8")
    first = environment.inputs_hash(root)
    plugin.write_text("2", encoding="utf-8")
    assert environment.inputs_hash(root) != first


def test_javascript_that_was_never_built_installs_again(root: Path) -> None:
    (root / "hatch_build.py").write_text("", encoding="utf-8")
    environment.ensure(root, ["book"], Installer())
    again = Installer()
    environment.ensure(root, ["book"], again)
    assert again.calls


def test_a_venv_that_was_cut_off_is_made_anew(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.ensure(root, ["book"], Installer())
    (root / ".venv" / "installing").touch()
    (root / ".venv" / "leftover").touch()
    environment.ensure(root, ["book"], Installer())
    assert not (root / ".venv" / "leftover").exists()
    assert "making it anew" in capsys.readouterr().out


def test_a_venv_of_another_python_is_made_anew(root: Path) -> None:
    environment.ensure(root, ["book"], Installer())
    stamp = root / ".venv" / "stamp.json"
    data = json.loads(stamp.read_text(encoding="utf-8"))
    stamp.write_text(json.dumps({**data, "python": "3.9 elsewhere"}), encoding="utf-8")
    again = Installer()
    environment.ensure(root, ["book"], again)
    assert again.calls[0][1:3] == ["-m", "venv"]


def test_a_venv_whose_python_is_gone_is_made_anew(root: Path) -> None:
    environment.ensure(root, ["book"], Installer())
    (root / ".venv" / "bin" / "python").unlink()
    again = Installer()
    environment.ensure(root, ["book"], again)
    assert again.calls[0][1:3] == ["-m", "venv"]


@pytest.mark.parametrize("text", ["", "[]", '{"inputs": 1}', "no json"])
def test_a_damaged_stamp_is_not_trusted(root: Path, text: str) -> None:
    (root / ".venv").mkdir()
    (root / ".venv" / "stamp.json").write_text(text, encoding="utf-8")
    assert environment.read_stamp(root / ".venv") is None


def test_a_failed_installation_is_one_sentence_and_is_not_trusted(root: Path) -> None:
    environment.make_venv(root / ".venv", root, Installer())
    broken = Installer(exit_code=1, words="No space left on device")
    with pytest.raises(Problem, match="the disk is full") as caught:
        environment.install(root, root / ".venv/bin/python", ["book"], broken)
    assert ".cache/setup/pip.log" in str(caught.value)
    assert environment.read_stamp(root / ".venv") is None


def test_an_installer_that_gave_up_leaves_a_venv_to_go_on_with(root: Path) -> None:
    for exit_code, is_marked in ((1, False), (-9, True)):
        environment.make_venv(root / ".venv", root, Installer())
        broken = Installer(exit_code)
        with pytest.raises(Problem):
            environment.install(root, root / ".venv/bin/python", ["book"], broken)
        assert (root / ".venv" / "installing").exists() == is_marked


def test_a_failed_venv_is_one_sentence_and_leaves_nothing(root: Path) -> None:
    broken = Installer(exit_code=1, words="ensurepip is not available")
    with pytest.raises(Problem, match="apt install python3-venv"):
        environment.ensure(root, ["book"], broken)
    assert not (root / ".venv").exists()


def test_a_full_disk_is_said_before_anything_is_installed(root: Path) -> None:
    def almost_full(_: Path) -> Any:
        return SimpleNamespace(free=500_000_000)

    with pytest.raises(Problem, match=r"0\.5 GB free and set-up needs about 3 GB"):
        environment.check_disk(root, almost_full)


def test_an_installed_project_needs_no_room(root: Path) -> None:
    environment.ensure(root, ["book"], Installer())
    environment.check_disk(root, lambda _: SimpleNamespace(free=0))


def test_variables_that_lead_pip_elsewhere_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_TARGET", "elsewhere")
    monkeypatch.setenv("LAB_TEST_KEPT", "1")
    env = environment.clean_env()
    assert "PIP_TARGET" not in env
    assert env["LAB_TEST_KEPT"] == "1"


def test_the_second_client_is_installed_once(root: Path) -> None:
    installer = Installer()
    (root / ".cache" / "openai2").mkdir(parents=True)
    installed = root / ".cache" / "openai2"

    def run(command: Sequence[Any], log: Path, **rest: Any) -> int:
        installed.mkdir(exist_ok=True)
        return installer(command, log, **rest)

    for _ in range(2):
        environment.ensure_second_client(root, Path("python"), run)
    assert len(installer.calls) == 1
    assert installer.calls[0][-1] == "openai==2.0.0"
    others = (root / ".cache" / "setup" / "constraints-openai2.txt").read_text()
    assert others == "numpy==1.0\n"


def test_a_second_client_that_cannot_be_had_is_one_sentence(root: Path) -> None:
    broken = Installer(exit_code=1, words="Network is unreachable")
    with pytest.raises(Problem, match=r"openai==2\.0\.0 .* check the network"):
        environment.ensure_second_client(root, Path("python"), broken)

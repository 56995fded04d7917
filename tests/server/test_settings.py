"""Settings come from LAB_ names only, typed, checked and documented."""

from __future__ import annotations

import inspect
import os
from dataclasses import fields

import pytest

from labkit.errors import ConfigError
from server.settings import Settings, share_cores


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env({"PATH": "/bin"}) == Settings()


def test_values_are_read_by_kind() -> None:
    given = {
        "LAB_PORT": "0",
        "LAB_HEARTBEAT_S": "2.5",
        "LAB_MODEL": "tiny.gguf",
        "LAB_MODEL_ALIASES": "a, b,",
    }
    settings = Settings.from_env(given)
    assert (settings.port, settings.heartbeat_s) == (0, 2.5)
    assert (settings.model, settings.model_aliases) == ("tiny.gguf", ("a", "b"))


def test_the_process_is_read_where_nothing_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_MAX_RUNNING", "3")
    assert Settings.from_env().engine().max_running == 3


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LAB_MAX_RUNING", "8", "LAB_MAX_RUNNING"),
        ("LAB_PORT", "eighty", "use a whole number"),
        ("LAB_LEASE_S", "long", "use a number"),
        ("LAB_LEASE_S", "nan", "seconds above 0"),
        ("LAB_HEARTBEAT_S", "0", "seconds above 0"),
        ("LAB_PORT", "70000", "0 to 65535"),
        ("LAB_MAX_BODY_BYTES", "0", "above 0"),
        ("LAB_MAX_TRACES", "-1", "0 or more"),
    ],
)
def test_what_cannot_work_says_why(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings.from_env({name: value})


def test_the_engine_checks_its_own_part() -> None:
    with pytest.raises(ConfigError, match="power of two"):
        Settings(block_size=12).engine()


def test_every_setting_is_explained_on_its_line() -> None:
    lines = inspect.getsource(Settings).splitlines()
    for field in fields(Settings):
        (line,) = [x for x in lines if x.strip().startswith(f"{field.name}: ")]
        assert "  # " in line, field.name


def test_threads_share_cores_unless_the_user_decided_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # so that it is put back afterwards
    monkeypatch.delenv("OMP_WAIT_POLICY")
    share_cores()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    share_cores()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"

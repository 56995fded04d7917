"""Settings come from LAB_ names only, typed, checked and documented."""

from __future__ import annotations

import inspect
import logging
import os

import pytest
from pydantic import SecretStr, ValidationError

from labkit.errors import ConfigError
from server.settings import Settings, share_cores


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No `LAB_…` name of whoever runs the tests is in the way."""
    for name in [name for name in os.environ if name.upper().startswith("LAB_")]:
        monkeypatch.delenv(name)


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env() == Settings()


def test_values_are_read_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PORT", "0")
    monkeypatch.setenv("LAB_HEARTBEAT_S", "2.5")
    monkeypatch.setenv("LAB_MODEL", "tiny.gguf")
    monkeypatch.setenv("LAB_MODEL_ALIASES", "a, b,")
    settings = Settings.from_env()
    assert (settings.port, settings.heartbeat_s) == (0, 2.5)
    assert (settings.model, settings.model_aliases) == ("tiny.gguf", ("a", "b"))


def test_what_is_given_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_MAX_RUNNING", "3")
    monkeypatch.setenv("LAB_PORT", "1")
    settings = Settings.from_env(port=2)
    assert (settings.engine().max_running, settings.port) == (3, 2)


def test_only_from_env_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PORT", "1")
    assert Settings().port == 8010


def test_an_empty_variable_is_as_if_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PORT", "")
    assert Settings.from_env().port == 8010


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]  # that is what is tested


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LAB_PORT", "eighty", "LAB_PORT='eighty': it should be a valid integer"),
        ("LAB_LEASE_S", "long", "LAB_LEASE_S='long': it should be a valid number"),
        ("LAB_LEASE_S", "nan", "finite number"),
        ("LAB_HEARTBEAT_S", "0", "LAB_HEARTBEAT_S='0': it should be greater than 0"),
        ("LAB_PORT", "70000", "less than or equal to 65535"),
        ("LAB_MAX_RUNNING", "0", "LAB_MAX_RUNNING=0: use a whole number above 0"),
        ("LAB_BLOCK_SIZE", "24", "LAB_BLOCK_SIZE=24: use a power of two"),
        ("LAB_MAX_WAITING", "-1", "LAB_MAX_WAITING=-1: use 0 or more"),
        ("LAB_KERNELS", "fast", "LAB_KERNELS='fast': use auto, native, torch"),
        ("LAB_MAX_BODY_BYTES", "0", "greater than or equal to 1"),
        ("LAB_LIMIT_CONCURRENCY", "0", "greater than or equal to 1"),
        ("LAB_MAX_TRACES", "-1", "greater than or equal to 0"),
        ("LAB_ALLOWED_HOSTS", "http://a.org", "'http://a.org' is not a host name"),
        ("LAB_ALLOWED_HOSTS", "a.org,*", "without scheme, port or wildcard"),
        ("LAB_ALLOWED_HOSTS", "a.org:80", "is not a host name"),
    ],
)
def test_what_cannot_work_says_why(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message.replace("*", r"\*")) as caught:
        Settings.from_env()
    assert "\n" not in str(caught.value)


def test_host_names_are_kept_in_one_spelling() -> None:
    settings = Settings(allowed_hosts=("Lab.Example.ORG.", "[::2]", "10.0.0.7"))
    assert settings.allowed_hosts == ("lab.example.org", "::2", "10.0.0.7")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("LAB_MAX_RUNING", "; did you mean LAB_MAX_RUNNING?"),
        ("LAB_USER", ""),
        ("lab_prot", "; did you mean LAB_PORT?"),
    ],
)
def test_an_unknown_name_is_warned_about_and_ignored(
    name: str,
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(name, "8")
    with caplog.at_level(logging.WARNING):
        assert Settings.from_env() == Settings()
    said = f"{name} is not a setting of this server and is ignored{hint}"
    assert caplog.messages == [said]


def test_a_secret_is_not_shown() -> None:
    settings = Settings(proxy_secret=SecretStr("open sesame"))
    assert "sesame" not in repr(settings)
    assert "sesame" not in str(settings)


def test_the_engine_checks_its_own_part() -> None:
    with pytest.raises(ConfigError, match="power of two"):
        Settings(block_size=12).engine()


def test_every_setting_is_explained_on_its_line() -> None:
    lines = inspect.getsource(Settings).splitlines()
    for name in Settings.model_fields:
        (line,) = [x for x in lines if x.strip().startswith(f"{name}: ")]
        assert "  # " in line, name


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


def test_what_computes_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().engine().kernels == "auto"
    monkeypatch.setenv("LAB_KERNELS", "torch")
    assert Settings.from_env().engine().kernels == "torch"
    with pytest.raises(ConfigError, match="kernels='gpu': use auto, native, torch"):
        Settings(kernels="gpu").engine()

"""JupyterLab starts on a free port with one URL, or says in a sentence why not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import lab
from scripts.problem import Problem


def taken(*ports: int) -> lab.Callable[[int, str], bool]:
    return lambda port, _: port not in ports


def test_the_first_free_port_is_taken() -> None:
    assert lab.choose_port(None, "127.0.0.1", taken(8888, 8889)) == 8890


def test_a_wish_that_is_free_is_granted() -> None:
    assert lab.choose_port(9000, "127.0.0.1", taken()) == 9000


def test_a_wish_that_is_taken_is_one_sentence() -> None:
    with pytest.raises(Problem, match=r"Port 9000 .* is taken.*make lab PORT="):
        lab.choose_port(9000, "127.0.0.1", taken(9000))


def test_no_free_port_is_one_sentence() -> None:
    with pytest.raises(Problem, match="All ports from 8888 to 8937"):
        lab.choose_port(None, "127.0.0.1", lambda port, ip: False)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert not lab.is_free(other.getsockname()[1], "127.0.0.1")


@pytest.mark.parametrize("wish", ["x", "0", "65536", "-1", "8 8"])
def test_a_port_that_is_none_is_one_sentence(wish: str) -> None:
    with pytest.raises(Problem, match="is not a port"):
        lab.read_port(wish)


def test_no_wish_is_any_port() -> None:
    assert lab.read_port("") is None
    assert lab.read_port("9000") == 9000


def test_overrides_switch_the_news_off(tmp_path: Path) -> None:
    path, _ = lab.write_settings(tmp_path)
    data = json.loads(path.read_text(encoding="utf-8"))
    quiet = data["@jupyterlab/apputils-extension:notification"]
    assert quiet == {"fetchNews": "false", "checkForUpdates": False}
    assert path.relative_to(tmp_path).as_posix() == (
        "share/jupyter/lab/settings/overrides.json"
    )


def test_a_kernel_with_these_settings_says_what_to_run_first(tmp_path: Path) -> None:
    _, path = lab.write_settings(tmp_path)
    assert path.relative_to(tmp_path).as_posix() == (
        "etc/ipython/ipython_kernel_config.py"
    )
    answer = subprocess.run(
        [sys.executable, "-m", "IPython", f"--config={path}", "-c", "lab.table"],
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = answer.stdout + answer.stderr
    assert "`lab` is not defined yet" in said
    assert "run the cells above first" in said
    assert "Traceback" not in said


def test_the_first_page_is_the_index_or_the_first_chapter(
    tmp_path: Path,
) -> None:
    (tmp_path / "work").mkdir()
    assert lab.first_page(tmp_path) == "lab"
    for name in ("10_streaming.ipynb", "06_tokens.ipynb", "notes.ipynb"):
        (tmp_path / "work" / name).touch()
    assert lab.first_page(tmp_path) == "lab/tree/06_tokens.ipynb"
    (tmp_path / "work" / "index.ipynb").touch()
    assert lab.first_page(tmp_path) == "lab/tree/index.ipynb"


def test_the_working_copy_is_the_root_of_jupyterlab() -> None:
    assert "--ServerApp.root_dir=work" in lab.command(Path("python"), 1, "127.0.0.1")


def test_the_token_is_not_on_the_command_line() -> None:
    words = lab.command(Path("python"), 8888, "127.0.0.1")
    assert not [word for word in words if "token" in word.lower()]
    assert lab.environ(Path("bin/python"), "secret")["JUPYTER_TOKEN"] == "secret"


def fake_python(folder: Path, body: str) -> Path:
    """A program that is started as JupyterLab would be."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_jupyterlab_that_ends_at_once_is_one_sentence(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "import sys; sys.exit(3)")
    with pytest.raises(
        Problem, match=r"ended at once \(exit code 3\): .*\.log says why"
    ):
        lab.serve(tmp_path, python, None, "127.0.0.1")


SERVER = """
import http.server, os, sys
port = int([w for w in sys.argv if "ServerApp.port=" in w][0].split("=")[1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        os._exit(5)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def test_one_url_is_printed_and_the_exit_code_passed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = fake_python(tmp_path, SERVER)
    assert lab.serve(tmp_path, python, None, "127.0.0.1") == 5
    printed = capsys.readouterr().out
    assert printed.count("http://") == 1
    assert "/lab?token=" in printed

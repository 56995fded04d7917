"""Starts JupyterLab in the reader's working copy and prints one URL.

Jupyter's own words go to a log. The token travels in the environment, not on the
command line, where other users of the machine could read it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from scripts.problem import Problem
from scripts.shell import say
from scripts.working_copy import FOLDER

__all__ = [
    "choose_port",
    "fetch_weights",
    "first_page",
    "read_port",
    "serve",
    "write_settings",
]

FIRST_PORT = 8888
NUM_PORTS = 50
START_LIMIT_S = 60.0
OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
}
KERNEL = """\
# Written by `make lab`: every kernel of this environment starts with the book's help.
c = get_config()
c.InteractiveShellApp.extensions = ["labkit.book.kernel"]
"""


def write_settings(prefix: Path) -> list[Path]:
    """Settings of JupyterLab and of the kernels in the environment at `prefix`.

    No news and no update check; widgets are saved with their notebook; kernels load
    `labkit.book.kernel`, which says what to run first after a restart.
    """
    texts = {
        "share/jupyter/lab/settings/overrides.json": json.dumps(OVERRIDES, indent=1),
        "etc/ipython/ipython_kernel_config.py": KERNEL,
    }
    paths = [prefix / name for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return paths


def fetch_weights(root: Path, python: Path) -> bool:
    """Fetch the model's weights, showing progress; False, and a line, without them."""
    say("Looking for the model's weights; what is missing is fetched ...")
    fetch = [str(python), "-m", "labkit.model.fetch"]
    if subprocess.call(fetch, cwd=root, stdout=subprocess.DEVNULL) == 0:
        return True
    say("Without weights recorded figures work and live cells do not.")
    return False


def read_port(wish: str) -> int | None:
    """The port that PORT= asks for, None for any; `Problem` where it is no port."""
    if not wish:
        return None
    if not wish.isdecimal() or not 1 <= int(wish) <= 65535:
        raise Problem(f"PORT={wish} is not a port: use a number from 1 to 65535.")
    return int(wish)


def is_free(port: int, ip: str) -> bool:
    """True where a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError:
            return False
    return True


def choose_port(
    wish: int | None, ip: str, free: Callable[[int, str], bool] = is_free
) -> int:
    """`wish` if it is free, else an error; without a wish the first that is free."""
    if wish is not None:
        if free(wish, ip):
            return wish
        raise Problem(
            f"Port {wish} at {ip} is taken or not allowed: stop what listens there, "
            "or run `make lab PORT=...` with another number."
        )
    for port in range(FIRST_PORT, FIRST_PORT + NUM_PORTS):
        if free(port, ip):
            return port
    last = FIRST_PORT + NUM_PORTS - 1
    raise Problem(
        f"All ports from {FIRST_PORT} to {last} at {ip} are taken: "
        "run `make lab PORT=...` with a free one."
    )


def first_page(root: Path) -> str:
    """Path within JupyterLab of the index, or else of the first chapter there is."""
    folder = root / FOLDER
    pages = [*folder.glob("index.ipynb"), *sorted(folder.glob("[0-9][0-9]_*.ipynb"))]
    return f"lab/tree/{pages[0].name}" if pages else "lab"


def command(python: Path, port: int, ip: str) -> list[str]:
    """JupyterLab's command line."""
    flags = {
        "ServerApp.root_dir": FOLDER,
        "ServerApp.ip": ip,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": False,
        "LanguageServerManager.autodetect": False,  # looks for servers on each start
        "ServerApp.allow_root": os.geteuid() == 0,  # containers often run as root
    }
    words = [f"--{name}={value}" for name, value in flags.items()]
    return [str(python), "-m", "scripts.jupyter", *words]


def environ(python: Path, token: str) -> dict[str, str]:
    """Environment in which our own kernels and settings win over the user's."""
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])
    ours = {"JUPYTER_TOKEN": token, "JUPYTER_PREFER_ENV_PATH": "1", "PATH": path}
    return {**os.environ, **ours}


def serve(root: Path, python: Path, wish: int | None, ip: str) -> int:
    """Run JupyterLab until it ends or is interrupted; its exit code."""
    port = choose_port(wish, ip)
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    log = root / ".cache" / f"jupyterlab-{port}.log"
    log.parent.mkdir(exist_ok=True)
    say("Starting JupyterLab ...")
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command(python, port, ip),
            cwd=root,
            env=environ(python, token),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us first; we end it in order
        )
    try:
        wait_until_up(process, port, ip, token, log.relative_to(root))
        host = "127.0.0.1" if ip in ("0.0.0.0", "::") else ip
        say(f"\n    http://{host}:{port}/{first_page(root)}?token={token}\n")
        say("Open it in a browser. Ctrl-C here ends JupyterLab.")
        return process.wait()
    except KeyboardInterrupt:
        say("\nJupyterLab has ended.")
        return 0
    finally:
        end(process)


def answers(port: int, ip: str, token: str) -> bool:
    """True once JupyterLab answers its status call."""
    host = "127.0.0.1" if ip in ("0.0.0.0", "::") else ip
    url = f"http://{host}:{port}/api/status?token={token}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def wait_until_up(
    process: subprocess.Popen[bytes], port: int, ip: str, token: str, log: Path
) -> None:
    """Return once JupyterLab answers; `Problem` where it ends or takes too long."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Problem(
                f"JupyterLab ended at once (exit code {process.returncode}): "
                f"{log} says why; `make clean` and `make lab` start from nothing."
            )
        if answers(port, ip, token):
            return
        time.sleep(0.1)
    raise Problem(
        f"JupyterLab did not answer within {START_LIMIT_S:.0f} s: {log} says why."
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask JupyterLab to end its kernels and itself; insist after ten seconds."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

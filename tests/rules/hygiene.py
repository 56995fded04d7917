"""What no committed file may hold: this machine's paths, addresses of registries."""

from __future__ import annotations

import re
from pathlib import Path

TEXT_SUFFIXES = {
    *(".py", ".js", ".mjs", ".css", ".json", ".toml", ".txt", ".md", ".yml", ".cfg"),
    *(".ipynb", ".svg", ".html", ".ini", ""),
}
HOSTS = (
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry.npm" + "js.org",
    "registry.yarn" + "pkg.com",
    "download.py" + "torch.org",
    "deb.deb" + "ian.org",
)
# Folders of the machines this was built on; examples use names like /home or ~.
MACHINE_PATH = re.compile(r"""(?:^|[\s"'`(=:])(/(?:work|opt|root)/[\w.-]+)""")


def is_text(path: Path) -> bool:
    """True for files that people or tools read as text; recorded vectors are data."""
    return path.suffix in TEXT_SUFFIXES and "vectors" not in path.parts


def faults(path: Path, text: str) -> list[str]:
    """Registry hosts and machine paths in `text`."""
    found = [f"{path}: names the registry {host}" for host in HOSTS if host in text]
    for match in MACHINE_PATH.finditer(text):
        found.append(f"{path}: names this machine's path {match.group(1)}")
    return found

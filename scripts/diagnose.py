"""Turns a failed installer's log into one sentence with the remedy.

Rules are tried in order and the first whose pattern occurs is used; the last rule
matches every log.
"""

from __future__ import annotations

import re

__all__ = ["explain"]

RULES = (
    (
        r"No space left on device|Disk quota exceeded",
        "the disk is full: free some space (about 3 GB are needed)",
    ),
    (
        r"ensurepip is not available|No module named '?ensurepip",
        "this Python cannot make virtual environments: install its venv package "
        "(Debian and Ubuntu: apt install python3-venv)",
    ),
    (
        r"name resolution|Name or service not known|Network is unreachable"
        r"|Failed to establish a new connection|Failed to resolve|Connection refused"
        r"|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT"
        r"|Read timed out|ProxyError|ConnectTimeout|SSLError|getaddrinfo",
        "the package index cannot be reached: check the network "
        "(behind a proxy, set HTTPS_PROXY)",
    ),
    (
        r"npm (?:ERR!|error)|esbuild.*(?:ERROR|error)|hatch_build",
        "the widgets' JavaScript could not be built: install Node 20 or newer, "
        "or take a broken `node` off PATH (without one, set-up brings its own)",
    ),
    (
        r"requirement (?P<name>\S+) \(from versions: none\)",
        "pip finds no {name} at all: check the network (behind a proxy, set "
        "HTTPS_PROXY), and use Python 3.11 on 64-bit Linux, macOS or WSL",
    ),
    (
        r"No matching distribution found for (?P<name>\S+)",
        "there is no build of {name} for this Python on this machine: "
        "use Python 3.11 on 64-bit Linux, macOS or WSL",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "pyproject.toml and constraints.txt disagree: `make pins` writes the latter",
    ),
    (
        r"Permission denied|Read-only file system",
        "this folder cannot be written to: give yourself the right, or clone elsewhere",
    ),
)


def explain(log: str) -> str:
    """The sentence for `log`, without its full stop."""
    for pattern, sentence in RULES:
        found = re.search(pattern, log)
        if found:
            return sentence.format(**found.groupdict())
    return "the installer failed for a reason that this script does not know"

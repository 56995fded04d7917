"""Who may import whom, and which folder may use which library.

The tables are the law; imports inside functions count, and so do names given to
`import_module`. What a table does not mention is forbidden.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

BASE = ("errors", "clock", "config", "sequence", "records", "workload", "trace")
TEXTS = (*BASE, "text")
WIRE = (*TEXTS, "dialects")
ENGINE = (*TEXTS, "sampling", "cache", "model")
LABS = (
    *ENGINE,
    "dialects",
    "weights",
    "engine",
    "replay",
    "agent",
    "net",
    "figures",
    "widgets",
)

LABKIT: dict[str, tuple[str, ...]] = {
    **{name: BASE[:i] for i, name in enumerate(BASE)},
    "text": BASE,
    "dialects": TEXTS,
    "cache": BASE,
    "sampling": BASE,
    "weights": BASE,
    "native": (*BASE, "weights"),
    "model": (*BASE, "weights", "native"),
    "engine": ENGINE,
    "replay": (*ENGINE, "engine"),
    "agent": WIRE,
    "net": WIRE,
    "figures": BASE,
    "widgets": (*WIRE, "figures"),
    "labs": LABS,
    "book": (*LABS, "labs"),
}

# Server: first its own modules, then what of labkit.
FLOOR = ("errors", "settings", "outcomes", "outputs")
POLICIES = ("auth", "limits", "safety", "context", "billing", "telemetry")
SERVER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "errors": ((), WIRE),
    "settings": (("errors",), BASE),
    "outcomes": ((), BASE),
    "outputs": (("outcomes",), WIRE),
    **dict.fromkeys(POLICIES, (FLOOR, (*WIRE, "agent"))),
    "http": (FLOOR, WIRE),
    "admission": (FLOOR, WIRE),
    "idempotency": (FLOOR, WIRE),
    "backends": (FLOOR, (*WIRE, "engine")),
    "pipeline": ((*FLOOR, *POLICIES, "admission", "backends"), WIRE),
}

# These may import everything.
OUTER = ("__init__", "__main__", "app", "listen", "proxy", "routes", "transports")

TENSORS = ("sampling", "weights", "native", "model", "engine", "replay", "labs")
THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "torch": tuple(f"labkit/{f}/*" for f in TENSORS),
    "numpy": ("labkit/weights/*", "labkit/model/*"),
    "safetensors": ("labkit/weights/*",),
    "gguf": ("labkit/weights/*",),
    "huggingface_hub": ("labkit/weights/sources.py",),
    "tqdm": ("labkit/weights/sources.py", "labkit/book/*"),
    "platformdirs": ("labkit/model/*", "labkit/net/*"),
    "tokenizers": ("labkit/text/tokenizer.py",),
    "jinja2": ("labkit/text/template.py",),
    "markdown_it": ("labkit/text/markdown.py", "labkit/text/safe_markdown.py"),
    "nh3": ("labkit/text/sanitise.py",),
    "httpx2": ("labkit/net/*", "server/backends/*"),
    "plotly": ("labkit/figures/*", "labkit/widgets/figure.py"),
    "anywidget": ("labkit/widgets/*",),
    "ipywidgets": ("labkit/widgets/*",),
    "traitlets": ("labkit/widgets/*",),
    "google": ("labkit/book/hosts.py",),
    "IPython": ("labkit/book/*", "labkit/widgets/*"),
    "jupyter_server": ("labkit/net/discover.py",),
    "pydantic": ("labkit/dialects/*", "server/settings.py"),
    "pydantic_core": ("labkit/dialects/*",),
    "jiter": ("server/http/body.py",),
    "pydantic_settings": ("server/settings.py",),
    "fastapi": ("server/routes.py", "server/transports.py", "server/app.py"),
    "starlette": ("server/routes.py", "server/app.py"),
    "uvicorn": ("server/listen.py", "server/http/connection.py"),
    "h11": ("server/http/connection.py",),
}

# The server's settings, and the question whether the book is being built or tested.
ENVIRONMENT = ("server/settings.py", "labkit/book/hosts.py")


def imported(path: Path, source: str) -> Iterator[str]:
    """Every dotted name that `source` imports, relative ones made absolute."""
    package = path.with_suffix("").parts[:-1]
    if path.name == "__init__.py":
        package = path.parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else ()
            stem = [*up, *(node.module or "").split(".")] if node.module else [*up]
            yield from (".".join([*stem, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call):
            yield from _named_in_call(node)


def _named_in_call(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func).rsplit(".", 1)[-1]
    if name in ("import_module", "__import__") and node.args:
        first = node.args[0]
        assert isinstance(first, ast.Constant), f"computed import: {ast.unparse(node)}"
        yield str(first.value)


def owner(path: Path) -> str:
    """The row of the table that `path` belongs to: its folder or module."""
    return path.parts[1].removesuffix(".py")


def reaches(path: Path, source: str, package: str) -> set[str]:
    """Rows of `package`'s table that `source` imports, its own left out."""
    found = set()
    for name in imported(path, source):
        parts = name.split(".")
        if parts[0] == package and len(parts) > 1:
            found.add(parts[1])
    return found - {owner(path)} if path.parts[0] == package else found


def floor_faults(path: Path, source: str) -> list[str]:
    """Imports within the project that the tables do not allow `path`."""
    labkit = reaches(path, source, "labkit")
    server = reaches(path, source, "server")
    if any(name.split(".")[0] == "tests" for name in imported(path, source)):
        return [f"{path}: nothing imports tests"]
    row = owner(path)
    if path.parts[0] == "labkit" and row in ("__init__", *LABKIT):
        may_labkit: set[str] = set(LABKIT.get(row, ()))
        may_server: set[str] = set()
    elif path.parts[0] == "server" and row in SERVER:
        may_server, may_labkit = (set(names) for names in SERVER[row])
    elif path.parts[0] == "server" and row in OUTER:
        return []
    else:
        return [f"{path}: has no row in tests/rules/layers.py"]
    up = sorted(labkit - may_labkit) + [
        f"server.{n}" for n in sorted(server - may_server)
    ]
    return [f"{path}: reaches up to {name}" for name in up]


def library_faults(path: Path, source: str) -> list[str]:
    """Third-party imports that `path` may not have."""
    faults = []
    for name in sorted({name.split(".")[0] for name in imported(path, source)}):
        if name in sys.stdlib_module_names or name in ("labkit", "server", "tests"):
            continue
        homes = THIRD_PARTY.get(name, ())
        if not any(fnmatch(path.as_posix(), home) for home in homes):
            places = ", ".join(homes) or "no file"
            faults.append(f"{path}: {name} belongs to {places}")
    return faults


def environment_faults(path: Path, source: str) -> list[str]:
    """Reads of the environment outside the files that may."""
    if path.as_posix() in ENVIRONMENT:
        return []
    used = {ast.unparse(n) for n in ast.walk(ast.parse(source)) if _is_environment(n)}
    return [
        f"{path}: {name} is read in server/settings.py only" for name in sorted(used)
    ]


def _is_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in ("os.environ", "os.getenv", "os.environb")
    if isinstance(node, ast.ImportFrom) and node.module == "os":
        return any(alias.name in ("environ", "getenv") for alias in node.names)
    return False

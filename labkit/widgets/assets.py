"""Files that a page loads once for all widgets: vendor scripts and plotly's bundle.

They travel over the widget's channel as bytes, so that no base URL, CDN or labextension
is needed. It refuses every name that is not in its list, and a vendor file that was not
built gives the command that builds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.config import reject_unknown
from labkit.errors import ConfigError

__all__ = ["ASSETS", "PLOTLY", "digest", "read", "serve"]

PLOTLY = "plotly.js"
VENDOR = Path(__file__).parent / "static" / "vendor"
ASSETS = ("markdown.js", "tokenizer.js", PLOTLY)


def read(name: str) -> bytes:
    """The bytes of the asset called `name`."""
    reject_unknown([name], ASSETS, "The list of assets")
    path = _plotly() if name == PLOTLY else VENDOR / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"labkit/widgets/static/vendor/{name} is missing: run `make js`"
        ) from None


def digest(name: str) -> str:
    """Twelve hex digits that change with the asset's bytes."""
    return hashlib.sha256(read(name)).hexdigest()[:12]


def serve(message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """The answer to a page that asks for an asset: a message and its buffers."""
    name = str(message.get("name"))
    answer: dict[str, Any] = {"op": "asset", "id": message.get("id"), "name": name}
    try:
        return {**answer, "digest": digest(name)}, [read(name)]
    except ConfigError as error:
        return {**answer, "error": str(error)}, []


def _plotly() -> Path:
    """Plotly's widget bundle, found without importing plotly (slow)."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ConfigError("plotly is not installed: pip install 'labkit[book]'")
    return Path(spec.origin).parent / "package_data" / "widgetbundle.js"

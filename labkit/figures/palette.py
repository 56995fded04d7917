"""One colour for each of the twelve layers, in a light and a dark value.

Neighbouring layers stay apart for colour-blind readers (CIEDE2000 of 20 or more under
simulated protanopia, deuteranopia and tritanopia) and every colour can carry text on
its card (contrast 4.5 or more): `tests/labkit/figures/test_palette.py` computes both.
No layer is told by colour alone: each also has a number and a short name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from labkit.records import Layer

__all__ = [
    "DARK",
    "INK_DARK",
    "INK_LIGHT",
    "LIGHT",
    "NAMES",
    "css_variables",
    "layer_title",
]

LIGHT: Mapping[Layer, str] = MappingProxyType(
    {
        Layer.CLIENT: "#6d362e",
        Layer.NETWORK: "#3d4d80",
        Layer.GATEWAY: "#cd423e",
        Layer.SAFETY: "#017cad",
        Layer.CONTEXT: "#3e4805",
        Layer.TOKENS: "#84567b",
        Layer.CACHE: "#28822d",
        Layer.COMPUTE: "#7b0253",
        Layer.SAMPLING: "#795fe2",
        Layer.STREAMING: "#a8590b",
        Layer.TOOLS: "#531297",
        Layer.BILLING: "#055e47",
    }
)

DARK: Mapping[Layer, str] = MappingProxyType(
    {
        Layer.CLIENT: "#c57e5c",
        Layer.NETWORK: "#65a4ed",
        Layer.GATEWAY: "#fec5b0",
        Layer.SAFETY: "#a3defd",
        Layer.CONTEXT: "#859905",
        Layer.TOKENS: "#c187c0",
        Layer.CACHE: "#b4e966",
        Layer.COMPUTE: "#e15c86",
        Layer.SAMPLING: "#bab8fe",
        Layer.STREAMING: "#e4a349",
        Layer.TOOLS: "#877cf2",
        Layer.BILLING: "#54f1d9",
    }
)

NAMES: Mapping[Layer, str] = MappingProxyType(
    {
        Layer.CLIENT: "Client",
        Layer.NETWORK: "Network",
        Layer.GATEWAY: "Gateway",
        Layer.SAFETY: "Safety",
        Layer.CONTEXT: "Context",
        Layer.TOKENS: "Tokens",
        Layer.CACHE: "Cache",
        Layer.COMPUTE: "Compute",
        Layer.SAMPLING: "Sampling",
        Layer.STREAMING: "Streaming",
        Layer.TOOLS: "Tools",
        Layer.BILLING: "Billing",
    }
)

# bg card, fg text, mut quieter text, grid hairlines, soft a quiet fill
INK_LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "bg": "#ffffff",
        "fg": "#1f2328",
        "mut": "#59636e",
        "grid": "#d8dee4",
        "soft": "#f3f5f7",
    }
)
INK_DARK: Mapping[str, str] = MappingProxyType(
    {
        "bg": "#161b22",
        "fg": "#e6edf3",
        "mut": "#9da7b1",
        "grid": "#3d444d",
        "soft": "#21262d",
    }
)

_DARK_PAGES = (
    'body[data-jp-theme-light="false"] .lab',  # JupyterLab, Notebook 7
    "body.vscode-dark .lab",
    'html[theme="dark"] .lab',  # Colab
    'html[data-theme="dark"] .lab',  # sphinx-book-theme
)
_PLAIN_PAGE = (
    "html:not([theme]):not([data-theme])"
    " body:not([data-jp-theme-light]):not([data-vscode-theme-id]) .lab"
)


def layer_title(layer: Layer) -> str:
    """Number and short name, such as `10 Streaming`."""
    return f"{layer.chapter} {NAMES[layer]}"


def css_variables() -> str:
    """CSS that defines `--lab-client` … under `.lab`, following the page's theme.

    An element with `data-layer="client"` gets its colour as `--layer`.
    """
    dark = _variables(DARK)
    return (
        f".lab{{{_variables(LIGHT)}}}\n"
        f"@media(prefers-color-scheme:dark){{{_PLAIN_PAGE}{{{dark}}}}}\n"
        f"{','.join(_DARK_PAGES)}{{{dark}}}\n"
        f"{_layers()}\n"
    )


def _variables(colours: Mapping[Layer, str]) -> str:
    return "".join(f"--lab-{layer}:{colour};" for layer, colour in colours.items())


def _layers() -> str:
    rules = (f'.lab [data-layer="{x}"]{{--layer:var(--lab-{x})}}' for x in Layer)
    return "".join(rules)

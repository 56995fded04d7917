"""JupyterLab, started without one slow import: `python -m scripts.jupyter`.

`jsonschema` imports `rfc3987_syntax` where it is installed, and that builds several
Earley parsers on import (2.4 of 5 s on the author's machine) to check IRIs. JupyterLab
has none to check, so the import is refused, which `jsonschema` allows for.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int | None:
    """Run JupyterLab with this process's arguments."""
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # means: no such module
    from jupyterlab.labapp import main as lab  # noqa: PLC0415  # after the line above

    answer: int | None = lab()
    return answer


if __name__ == "__main__":
    sys.exit(main())

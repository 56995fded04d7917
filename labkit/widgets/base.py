"""The base class of all widgets: page code, a lock, a still, checked keywords.

A widget's page code is the shared scripts (`static/lab*.js`) and its own
`static/NAME.js` joined into one module: no relative imports, no CDN. Messages from the
page may arrive on another thread while a cell runs, so everything that they touch is
done under `self._lock`. It refuses keywords that a widget does not have and messages
that it does not know.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from labkit.config import reject_unknown
from labkit.errors import ConfigError
from labkit.figures.palette import css_variables
from labkit.widgets.assets import serve
from labkit.widgets.still import StillMixin

try:
    import anywidget
except ModuleNotFoundError as error:
    raise ConfigError(
        f"labkit.widgets needs the package {error.name!r}, which is not installed: "
        "pip install 'labkit[book]'"
    ) from error

__all__ = ["SHARED", "LabWidget", "Message", "joined", "listen_apart"]

STATIC = Path(__file__).parent / "static"
SHARED = ("lab.js", "lab_wire.js", "lab_parts.js")  # before every widget's own script
Message = Mapping[str, Any]


class LabWidget(StillMixin, anywidget.AnyWidget):
    """Base of the book's widgets: `class TraceBar(LabWidget, page="trace_bar")`.

    `page` names the pair of files in `static/`, `parts` more scripts. A subclass
    defines `record()` and, if its page sends messages, `handle(op, message)`.
    """

    hurried: ClassVar[frozenset[str]] = frozenset()  # handled without the lock
    veil = traitlets.Unicode("").tag(sync=True)  # words shown in its place, "" for none

    def __init_subclass__(
        cls, page: str | None = None, parts: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        if page is not None:
            cls._esm = joined(*SHARED, *(f"{part}.js" for part in (*parts, page)))
            cls._css = css_variables() + joined("lab.css", f"{page}.css")
        super().__init_subclass__(**kwargs)

    def __init__(self, unknown: Mapping[str, object], **traits: Any) -> None:
        names = inspect.signature(type(self).__init__).parameters
        known = [name for name in names if name not in {"self", "unknown"}]
        reject_unknown(unknown, known, type(self).__name__)
        self._lock = threading.RLock()
        super().__init__(**traits)
        self.on_msg(self._receive)
        listen_apart(self.comm)

    def handle(self, op: str, message: Message) -> None:
        """Act on a message of the page; the lock is held unless `op` is `hurried`."""
        raise ConfigError(f"{type(self).__name__} knows no message {op!r}: {message}")

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Apply the page's changes under the lock; they arrive on another thread."""
        with self._lock:
            super().set_state(sync_data)

    def tell(self, op: str, buffers: Sequence[bytes] = (), **values: Any) -> None:
        """Send the page a message that is no state."""
        self.send({"op": op, **values}, list(buffers))

    def _receive(self, _: object, content: object, buffers: object) -> None:
        if not isinstance(content, dict) or not isinstance(content.get("op"), str):
            return  # not from our own page code
        op = content["op"]
        with nullcontext() if op in self.hurried else self._lock:
            if op == "asset":
                self.send(*serve(content))
            else:
                self.handle(op, content)


def joined(*names: str) -> str:
    """The files of `static/` called `names`, one after another."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def listen_apart(comm: object) -> None:
    """Let the page's messages arrive while a cell runs, so that a stop button stops.

    JupyterLab addresses them to a thread of their own. ipykernel 7.4 readdresses them
    to the loop that last wrote on the channel, which may be that of the busy cell.
    """
    if getattr(comm, "_reply_subshell_for", None) is not None:
        comm._reply_subshell_for = None  # type: ignore[attr-defined]  # its own switch

"""Every error that labkit raises on purpose, as one tree.

LabError
├── ConfigError        a setting is unknown or has a bad value
├── InputError         a request is malformed; `param` names the field at fault
│   └── NeverFits      a request that no amount of waiting could serve
├── WeightsError       weights are missing, corrupt or of an unknown kind
├── TemplateFailed     the model's chat template failed on messages it should take
├── OutOfBlocks        the cache has fewer free blocks than were asked for
├── QueueFull          the engine has no room now; retry after `retry_after_s`
├── EngineBusy         a step was asked for from inside a step
├── EngineDead         the model failed on several steps in a row
├── ProtocolError      the other side of a connection broke its protocol
├── ServerUnavailable  no server answers, or it has no model to answer with
└── TraceError         a recorded trace cannot be read

Each message says what was wrong, the value seen and the remedy. A broken invariant of
our own is an `assert` with a sentence instead.
"""

from __future__ import annotations

from functools import partial

__all__ = [
    "ConfigError",
    "EngineBusy",
    "EngineDead",
    "InputError",
    "LabError",
    "NeverFits",
    "OutOfBlocks",
    "ProtocolError",
    "QueueFull",
    "ServerUnavailable",
    "TemplateFailed",
    "TraceError",
    "WeightsError",
]


class LabError(Exception):
    """Root of labkit's errors; its text is fit to show to a reader."""


class ConfigError(LabError, ValueError):
    """A setting is unknown or has a value that cannot work."""


class InputError(LabError, ValueError):
    """A request is malformed. `param` is the wire name of the field at fault."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class NeverFits(InputError):
    """A request needs more than the engine has in total, so waiting cannot help."""


class WeightsError(LabError):
    """Weights are missing, corrupt or of a kind that labkit does not know."""


class TemplateFailed(LabError):
    """The model's chat template failed by itself; the messages are not at fault."""


class OutOfBlocks(LabError):
    """More blocks were asked for than the cache has free."""


class QueueFull(LabError):
    """The waiting queue is full; `retry_after_s` is when asking again makes sense."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[partial[QueueFull], tuple[str]]:
        return partial(QueueFull, retry_after_s=self.retry_after_s), (str(self),)


class EngineBusy(LabError):
    """A callback that the engine calls during a step asked for another step."""


class EngineDead(LabError):
    """The engine takes no requests any more: its model failed on step after step."""


class ProtocolError(LabError):
    """The other side of a connection sent something its protocol does not allow."""


class ServerUnavailable(LabError):
    """No server answers at the address, or it has no model to answer with."""


class TraceError(LabError):
    """A trace file is unreadable, of another kind or of a newer version."""

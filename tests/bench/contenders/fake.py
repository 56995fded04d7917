"""A contender that computes nothing: for tests of the processes around it."""

from __future__ import annotations

import os

__all__ = ["Fake"]


class Fake:
    """Echoes, fails and says who it is."""

    def __init__(self, **options: object) -> None:
        assert not options.get("is_broken"), "asked to be broken"

    def facts(self) -> dict[str, int]:
        """Its process's id."""
        return {"pid": os.getpid()}

    def echo(self, value: object) -> object:
        """The same value."""
        return value

    def fail(self) -> None:
        """An error."""
        raise ValueError("as asked")

"""The engine: requests in, token events out, many sequences computed together."""

from labkit.engine.engine import Engine
from labkit.engine.load import load

__all__ = ["Engine", "load"]

"""Frozen plain records: everything that crosses from one folder to another.

A record is made of numbers, strings and tuples; it can be printed, compared, saved as
JSON and drawn without torch, weights or a running engine. Times are seconds on the
clock of whoever made the record; `trace.py` says how clocks are brought together.
"""

from labkit.records.cache import (
    BlockCounts,
    BlockEvent,
    BlockEventKind,
    BlockView,
    CacheStats,
    PoolFrame,
)
from labkit.records.engine import EngineCounts, ScheduledSlice, StepReport, TokenEvent
from labkit.records.network import Delivery, Faults, Link, StreamChunk
from labkit.records.request import Layer, Usage
from labkit.records.sampling import Branch, BranchToken, OrderView, StageView
from labkit.records.text import TokenizerSpec

__all__ = [
    "BlockCounts",
    "BlockEvent",
    "BlockEventKind",
    "BlockView",
    "Branch",
    "BranchToken",
    "CacheStats",
    "Delivery",
    "EngineCounts",
    "Faults",
    "Layer",
    "Link",
    "OrderView",
    "PoolFrame",
    "ScheduledSlice",
    "StageView",
    "StepReport",
    "StreamChunk",
    "TokenEvent",
    "TokenizerSpec",
    "Usage",
]

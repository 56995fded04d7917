"""Keeps the garbage collector away from what stays until the process ends.

A full collection walks over every object there is, 180,000 once torch and a tokenizer
are loaded, and everything waits for 80 ms, in the middle of somebody's answer. vLLM and
SGLang freeze theirs as well.
"""

from __future__ import annotations

import gc

__all__ = ["freeze_heap"]


def freeze_heap() -> None:
    """Leave alone what is there by now; what comes later is collected as ever."""
    gc.collect()
    gc.freeze()

"""Faults, usage and counts of an inspected stream in plain words.

Pure: values in, text out, the same for the page, the still and a screen reader.
"""

from __future__ import annotations

from dataclasses import asdict

from labkit.records import Faults, Usage

__all__ = ["counted", "fault_words", "usage_words"]

FAULTS = {
    "chunk_bytes": "cut into pieces of {} bytes",
    "split_utf8": "cut inside every character of several bytes",
    "coalesce": "{} frames joined into one piece",
    "drop_at": "connection lost after {:,} bytes",
    "stall_s": "a stall of {:g} s half-way",
    "duplicate_at": "",  # counted from 1, see `fault_words`
}


def counted(number: int, what: str) -> str:
    """`1 piece`, `2 pieces`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def usage_words(usage: Usage | None) -> str:
    """`34 + 10 tokens`, or `unknown`."""
    if usage is None:
        return "unknown"
    return f"{usage.prompt_tokens} + {usage.completion_tokens} tokens"


def fault_words(faults: Faults) -> str:
    """The faults that are switched on, as the beginning of a sentence."""
    values, idle = asdict(faults), asdict(Faults())
    found = [FAULTS[k].format(v) for k, v in values.items() if v != idle[k]]
    if faults.duplicate_at is not None:
        found.append(f"frame {faults.duplicate_at + 1} sent twice")
    words = ", ".join(word for word in found if word) or "no fault"
    return words[0].upper() + words[1:]

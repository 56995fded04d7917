"""What was there before is not walked over again; what comes later is."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc, weakref
from server.backends import freeze_heap

class Node: pass

gc.disable()
before = len(gc.get_objects())
freeze_heap()
print(before > 1000, gc.get_freeze_count() > 1000, len(gc.get_objects()) < 100)
node = Node()
node.itself, alive = node, weakref.ref(node)
del node
gc.collect()
print(alive() is None)
"""


def test_a_frozen_heap_is_left_alone_and_later_cycles_are_collected() -> None:
    """In a process of its own: pytest's heap is to stay as it is."""
    command = [sys.executable, "-c", SCRIPT]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True"] * 4

"""What the server knows about its requests: traces, and counts of how they ended."""

from server.telemetry.metrics import OutcomeCounts, server_timing
from server.telemetry.recorder import TraceRecorder
from server.telemetry.store import TraceStore

__all__ = ["OutcomeCounts", "TraceRecorder", "TraceStore", "server_timing"]

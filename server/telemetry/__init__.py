"""What the server knows about its requests: traces, and counts of how they ended."""

from server.telemetry.metrics import OutcomeCounts, server_timing
from server.telemetry.traces import TraceRecorder, TraceStore

__all__ = ["OutcomeCounts", "TraceRecorder", "TraceStore", "server_timing"]

"""Recorded arrivals through the real scheduler again, on a clock of measured costs."""

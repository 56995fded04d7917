"""Instruments of the prefill and decode chapter: passes, their times, traffic."""

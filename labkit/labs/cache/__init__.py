"""Instruments of the cache chapter: pool frames, prefill times, rules, attacks."""

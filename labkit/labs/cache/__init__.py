"""Instruments of the cache chapter: pool frames, prefill times, pairs of prompts."""

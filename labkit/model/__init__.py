"""The model: weights to logits, with keys and values in slots that the caller picks.

Knows nothing of requests, text or blocks. Every fast path is tested equal to
`reference.py`, the slow truth.
"""

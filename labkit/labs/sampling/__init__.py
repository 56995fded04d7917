"""Instruments of the sampling chapter: logits, stages, branches, repetition."""

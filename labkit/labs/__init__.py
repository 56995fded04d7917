"""Instruments that chapters measure with, in one folder a layer of the request.

They drive the engine and the model from outside and hand back plain records; nothing
here is part of answering a request. `recordings.py` reads what a slow run measured.
"""

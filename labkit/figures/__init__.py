"""Pictures made from records: one colour per layer, one drawing type per kind.

A drawing (`drawings.py`) is a frozen value; `stills.svg(drawing)` writes it as a small
deterministic SVG and the figure files make an interactive plotly figure of the same
value. Nothing here knows an engine, a server or a tensor.
"""

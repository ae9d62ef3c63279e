"""What the benchmark programs are made of.

`protocols` has the contracts: a task knows its samples and how an answer is judged, an interface knows how a model is
reached, and `loop/` brings any two of them together.
"""

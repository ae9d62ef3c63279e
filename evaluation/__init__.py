"""What the benchmark programs are made of.

`protocols` has the contracts: a task knows its samples and how an answer is judged, a provider knows how a model is
reached, and `loop/` makes the requests and brings any two of them together.
"""

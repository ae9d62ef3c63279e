"""How much memory a server needs, how long its context is, and what fits on a machine."""

"""Compare runs: whether they are comparable, how two of them differ, and which of many are the best."""

"""The search for a better prompt on a benchmark: what was asked for, its samples, its requests, and its end."""

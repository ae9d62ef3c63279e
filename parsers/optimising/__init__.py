"""The parser of searches for a better prompt."""

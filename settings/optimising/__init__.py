"""The settings of a search for a better prompt."""

"""Searches for a better prompt, for people."""

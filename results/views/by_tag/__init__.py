"""Runs by the values of a tag, such as a difficulty, as tables for a terminal and for scripts."""

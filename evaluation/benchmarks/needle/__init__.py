"""Needles in a haystack: facts hidden in long texts and asked for, by kind, length and depth, after RULER."""

"""Composite scores and their parts, as text and as columns of tables."""

"""Composite scores on pages: the columns of tables of runs, and what a run and a ranking by difficulty show of them."""

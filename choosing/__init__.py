"""Questions that take several runs and a test to answer: which model to choose, whether an acceleration or a new build
loses anything. The modules ask sweeps for runs, through `asked_runs.py`, and `results/stats` for the answers.
"""

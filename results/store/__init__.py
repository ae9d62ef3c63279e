"""What stays on disk: folders of runs and sweeps, and the run log.

The folders are the source of truth; the log can be rebuilt from them.
"""

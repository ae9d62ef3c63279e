"""Records, run log, run folders: everything that stays on disk after a run."""

__version__ = "0.1.0"

"""Records, run log and run folders: everything that a run leaves on disk."""

__version__ = "0.1.0"

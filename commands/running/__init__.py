"""How `run` does a run."""

"""Measure GPUs, the server's processes and the server's own metrics during a run."""

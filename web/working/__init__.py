"""Runs the jobs of the queue, each as a sweep in a process tree of its own, which outlives a killed worker."""

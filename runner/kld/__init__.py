"""Runs of kld: what they are compared with, and the cache of what a reference predicts."""

"""Describe, launch, watch and stop the process that serves a model."""

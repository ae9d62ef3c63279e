"""Measure what devices, processes and the server itself do during a run, attribute it, and summarise it."""

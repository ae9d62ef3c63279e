"""Benchmarks that lm-eval asks and judges, under our supervision."""

"""Commands that are more than a few lines; bench_runner.py loads each when it is asked for."""

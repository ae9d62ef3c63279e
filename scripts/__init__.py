"""One runnable program for each benchmark, and what these programs share."""

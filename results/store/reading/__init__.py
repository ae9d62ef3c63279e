"""Recorded runs as others read them: rows, samples, problems, tags; from the folders."""

"""The index of the recorded runs, in SQLite or PostgreSQL. It is derived from the run folders and follows them."""

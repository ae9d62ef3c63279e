"""A run in shards, which are merged."""

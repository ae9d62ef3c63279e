"""A run in shards: which samples each asks, and what they are together."""

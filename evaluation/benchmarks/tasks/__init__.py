"""A user's own coding tasks, and the starter set."""

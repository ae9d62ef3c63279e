"""Which samples are asked."""

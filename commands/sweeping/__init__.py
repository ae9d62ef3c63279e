"""The commands around a sweep: its engines, and what one does beside it."""

"""`serve`, and what goes with it: `worker`, `keys`, `index`."""

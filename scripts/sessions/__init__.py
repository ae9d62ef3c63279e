"""What sessions with a server share: how it is reached, and what its answers are bound to."""

"""The benchmark's script: what it is started with, its start, and its run next to the server."""

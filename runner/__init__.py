"""One run, from its request to its record.

`request` checks the settings and turns them into a `RunSpec`; `run` writes the first and the last record; `attempt` is
the part in between that may fail; `script` follows the benchmark's program; `serving` provides the server.
"""

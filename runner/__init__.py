"""One run, from its request to its record.

`request` checks what was asked and makes a `RunSpec` of it; `run` writes the record first and last; `attempt` is the
part between that may fail; `script` follows the benchmark's program; `serving` says where the server comes from.
"""

"""Start, guard and end process trees: servers, scripts and the workers of a sweep.

`process` starts one in its own session, with its output in a `bounded_log`, under a `guardian` that ends the whole
`tree` if the harness dies in any way. `detached` starts one that outlives its starter, and tells whether it lives:
`holder` makes it hold a lock. `short_program` asks one for an
answer. `signals` turns SIGINT, SIGTERM and SIGHUP into an exception. `lock_files` names
the files with which programs of one user coordinate ports and devices.
"""

"""Start, guard and end process trees: servers, scripts and the workers of a sweep are all started here.

`process` starts one in a session of its own, with its output in a `bounded_log`, under a `guardian` that ends the whole
`tree` when the harness dies in any way. `signals` turns SIGINT, SIGTERM and SIGHUP into one exception; `lock_files`
names the files by which programs of one user agree on ports and devices.
"""

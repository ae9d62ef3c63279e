"""Suites: benchmarks that are declared in a file. `format.py` has the types of such a file, `loader.py` reads one,
`templates.py` fills in its texts, `kinds/` has a module for each kind of answer, `task.py` is the `Task` over all tasks
of one, and `data/` holds the suites that are part of the program.
"""

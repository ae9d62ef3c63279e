"""How a benchmark's program learns what it is to do, and that its server is there, where it is started before that."""

from __future__ import annotations

# In its environment: the number of a descriptor from which a line can be read once the server is there; its end means
# that there will be none. On a command line it would be repeated by hand.
WAIT_VARIABLE = "BENCH_SERVER_FOLLOWS"
# What stands there first, for a program on standby: the size of a task in bytes, in the words of `struct`, and the task
# as JSON: the "module" to run, the "words" of its command line, and the "environment" to be set.
TASK_SIZE = ">I"

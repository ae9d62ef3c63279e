"""One runnable program for each benchmark, and what these programs share."""

import gc

# Each import makes thousands of objects that stay. To look through them for cycles, again and again, takes a tenth of a
# program's own time; what it throws away later comes in small parts.
gc.set_threshold(50_000, 20, 20)

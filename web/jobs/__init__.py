"""The queue of jobs: what a job is, who may add how many, and which one starts next.

`queue` is what everybody uses; `claiming` is its side for workers, `waiting` what it knows of when a place is free.
`keys` are who may ask, `key_holders` whose jobs may run; `schedules` post jobs by the clock, `audit` says who did what,
`bell` wakes who waits.
"""

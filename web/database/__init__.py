"""What can't be derived again: jobs, keys, schedules and the audit log, in SQLite or PostgreSQL by the same code.

`database` opens it and brings its tables to this version (`migrations/`, Alembic); `tables` says what they are;
`trouble` turns what goes wrong into errors with a hint. The index of runs is another database: it is derived.
"""

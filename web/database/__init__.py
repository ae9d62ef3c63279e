"""What isn't derived from run folders: jobs, keys, schedules and the audit log, in SQLite or PostgreSQL."""

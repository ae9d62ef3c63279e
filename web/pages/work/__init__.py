"""Pages of what goes on: jobs, the form that starts one, schedules, keys, and the machine now."""

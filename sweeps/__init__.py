"""Many runs: a manifest becomes a plan, the plan is checked, and an engine works through it.

`manifest/` reads what the user wrote, `plan` makes the runs of it, `preflight/` says what will happen before anything
starts, `sweep` keeps the state and starts the work, `race` drops configurations that can't win.
"""

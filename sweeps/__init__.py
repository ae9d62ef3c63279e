"""Many runs: a manifest becomes a plan, the plan is checked, and an engine works through it.

`manifest/` reads the user's file, `plan` turns it into runs, `preflight/` checks them before anything starts, `sweep`
keeps the state and starts the work, `race` drops configurations that can't win.
"""

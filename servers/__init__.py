"""Describe, launch, watch and stop what serves a model.

A `ServerRequest` becomes a `LaunchPlan` (one builder for each kind of server); `supervisor` starts it, `readiness`
waits until that very server is ready, `watchdog` sees that it goes on.
"""

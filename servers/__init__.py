"""Describe, launch, watch and stop the server of a model.

A `ServerRequest` becomes a `LaunchPlan` (one builder for each kind of server). `supervisor` starts it, `readiness`
waits until exactly this server is ready, `watchdog` keeps it working.
"""

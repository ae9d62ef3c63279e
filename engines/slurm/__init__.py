"""A cluster with Slurm as an engine: array jobs for the units that are there, and a shared folder for what they write.

`commands` runs Slurm's programs, `job_script` writes what a job does, `submission` brings units there, `claim` gives
each attempt to one job only, `job` is what runs on a node, `watch` finds out how jobs end. No accounting is needed.
"""

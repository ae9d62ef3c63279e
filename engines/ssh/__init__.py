"""A few machines reached by the system's `ssh`: which they are, a connection to each, and which unit goes where.

What outgrows it (users, queues, quotas, dozens of machines) takes Ray or Slurm.
"""

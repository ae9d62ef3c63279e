"""Check before anything starts what a sweep needs on this machine: memory, time, disk, files and ports."""

"""What a sweep will do on this machine: memory, time, missing files and ports, before anything starts."""

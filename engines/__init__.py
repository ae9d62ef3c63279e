"""Where the runs of a sweep execute. This machine is the first engine: workers, shared servers, devices and leases.

A worker (`lane`) takes one server configuration at a time with all its runs (`server_group`), once the devices that it
needs are free (`cards`, `leases`). Engines know runs and their folders, but not manifests.
"""

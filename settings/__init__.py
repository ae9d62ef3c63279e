"""What a user can set: the table of all settings, and the benchmarks with their own options.

Whatever needs to know the settings reads the table: the options of `run` and `sweep`, manifests and their schema, the
configuration in a record, fingerprints, and the rules for resuming and comparing.
"""

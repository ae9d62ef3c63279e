"""What a user can ask for: the one table of settings, and the benchmarks with options of their own.

Everything that has to know the settings reads the table: the options of `run` and `sweep`, manifests and their schema,
the configuration in a record, fingerprints, and the rules of resuming and comparing.
"""

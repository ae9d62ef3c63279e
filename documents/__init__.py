"""YAML, JSON and TOML files as trees whose values know their lines, and the errors that name them.

Both sides use it: the harness for manifests, scripts for task files.
"""

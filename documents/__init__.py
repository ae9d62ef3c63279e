"""Read YAML, JSON and TOML files into trees whose values know their lines, and report errors with these lines.

Both sides use it: the harness for manifests, the scripts for task files.
"""

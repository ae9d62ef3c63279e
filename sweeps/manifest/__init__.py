"""Read the text of a manifest into checked settings, each with its line.

A manifest is YAML, JSON or TOML, or is built from the command line's options.
"""

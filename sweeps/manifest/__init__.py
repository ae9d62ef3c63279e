"""From the text of a manifest to checked settings, each with its line.

A manifest is YAML, JSON or TOML, or made of the options of the command line.
"""

"""Results as text, Markdown, pages, plots, and tables for other programs.

Nothing is computed here that decides anything.
"""

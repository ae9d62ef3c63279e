"""Show results as text, Markdown, HTML, plots, and tables for other programs.

No conclusions are computed here, only shown.
"""

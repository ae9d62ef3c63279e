"""The report of a sweep or of any runs: its contents, as Markdown, and as one self-contained HTML page.

`contents` collects the facts, `page` and `markdown` show them. All text from records is escaped.
"""

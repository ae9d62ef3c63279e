"""`export --site`: the dashboard's reading pages as files, which any web server can publish.

`asking` gets a page from the application without a server; `addresses` says which pages belong to the site and what
their files are called; `rewriting` makes a page refer to those files; `site` writes them all.
"""

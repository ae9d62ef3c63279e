"""The dashboard: pages rendered on the server, usable without JavaScript; a URL holds the whole state of a view."""

"""Charts: drawn on the server as SVG, which a script may replace by one that can be pointed at and zoomed."""

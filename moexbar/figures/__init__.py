"""Pictures of results as Vega-Lite specifications: plain data, drawn by a page or into a file."""

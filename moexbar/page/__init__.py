"""One HTML file that tells all of a compilation, comparison, sweep or design, without a network."""

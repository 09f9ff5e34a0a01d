"""The published runs of arXiv 2602.10254, run again on chip `paper`."""

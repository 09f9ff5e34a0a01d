"""The published runs of arXiv 2602.10254, run again on chip `paper`."""

GENERATED = (8, 32, 64, 128)  # tokens, of the runs of every cache mode

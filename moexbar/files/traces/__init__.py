"""Routing traces and load counts as people have them: a reader for each form, one value out."""

"""Nodes written in the forms that the front end reads, when a model is opened.

`instead` is what every rewriting of a graph needs; each of the others is one kind of nodes.
"""

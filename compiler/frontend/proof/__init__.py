"""Layers as they were read, run against the model's own nodes; how a model can decode."""

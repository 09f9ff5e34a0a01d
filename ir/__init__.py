"""The data between stages: frozen, self-validating, without decisions."""

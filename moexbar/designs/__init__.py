"""Chips designed for a model: what is asked, what is chosen, and its files."""

"""A routing trace alone: its loads, and its experts grouped, scheduled and compared by solver."""

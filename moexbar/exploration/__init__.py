"""Many compilations at once: what they share is computed once, and a journal keeps it all."""

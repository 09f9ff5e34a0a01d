"""A model and its inputs become a routing trace: the model is run and its selections recorded."""

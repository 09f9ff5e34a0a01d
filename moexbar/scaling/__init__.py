"""Which model a chip should hold: a law of the loss, shapes of models, their area and rate."""

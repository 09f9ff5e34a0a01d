"""The chip as an answer: how long a model's tokens take on a chip, and the chip that is best."""

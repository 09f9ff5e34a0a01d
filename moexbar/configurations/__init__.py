"""A model without its weights: the `config.json` of a hub folder, read as a shape."""

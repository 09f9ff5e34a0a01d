"""Example models at the size of real ones, without their weights, and routing to go with them."""

"""Model, chip and routing in, program out: the only place that decides."""

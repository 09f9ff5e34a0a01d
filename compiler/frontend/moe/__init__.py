"""MoE layers found by their dataflow: anchor, region, router, experts, exit."""

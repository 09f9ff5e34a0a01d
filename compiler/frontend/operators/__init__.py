"""What is left of a graph beside its MoE layers: parts, and each part as an operator."""

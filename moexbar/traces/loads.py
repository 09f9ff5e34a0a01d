"""How the tokens of a trace spread over the experts of each layer."""

from typing import Any

from ir.routing import Routing


def load_rows(routing: Routing) -> list[dict[str, Any]]:
    """For each layer: experts, token-expert pairs, the hottest expert, its load over the mean."""
    rows = []
    for row, layer in enumerate(routing.layer.tolist()):
        load = routing.matrix(row).sum(axis=0)
        rows.append(
            {
                "layer": layer,
                "experts": int(routing.num_experts[row]),
                "pairs": int(load.sum()),
                "hottest": int(load.argmax()),
                "hottest_over_mean": float(load.max() / load.mean()),
            }
        )
    return rows

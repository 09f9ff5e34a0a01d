"""How the tokens of a trace spread over the experts of each layer."""

from ir.routing import Routing
from moexbar.report.traces import LoadRow


def load_rows(routing: Routing) -> tuple[LoadRow, ...]:
    """For each layer: experts, token-expert pairs, the hottest expert, its load over the mean."""
    rows = []
    for row, layer in enumerate(routing.layer.tolist()):
        load = routing.matrix(row).sum(axis=0)
        experts, hottest = int(routing.num_experts[row]), int(load.argmax())
        mean = float(load.max() / load.mean())
        rows.append(LoadRow(layer, experts, int(load.sum()), hottest, mean))
    return tuple(rows)

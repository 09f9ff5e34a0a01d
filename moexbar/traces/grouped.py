"""Groups of a layer as plain data, with what they take on the windows fitted to and scored on."""

from typing import Any

from compiler.grouping import split_counts
from compiler.slots import order_slots
from ir.arrays import Bools, Span
from ir.chip import Chip
from ir.mapping import LayerGrouping
from moexbar.tile_area import tile_area_um2
from moexbar.traces.scope import Scope


def group_row(found: LayerGrouping, scope: Scope, chip: Chip) -> dict[str, Any]:
    """The groups of a layer, their area, what they take where fitted and scored, and the proof."""
    routing = scope.routing
    chosen = routing.matrix(routing.row(found.layer))
    certificate = found.certificate
    return {
        "layer": found.layer,
        "groups": [list(group) for group in found.groups],
        "solver": found.solver,
        "replicas": found.replicas,
        "columns": found.experts + found.replicas,
        "area_um2": tile_area_um2(
            chip, len(found.groups), found.experts + found.replicas, scope.size
        ),
        "fit": _scheduled(found, chosen, scope.fit_spans()),
        "score": _scheduled(found, chosen, scope.score_spans()),
        "objective": certificate.objective,
        "value": certificate.value,
        "bound": certificate.bound,
        "gap": certificate.gap,
        "status": certificate.status,
        "deterministic": certificate.deterministic,
        "seconds": round(certificate.seconds, 3),
    }


def _scheduled(found: LayerGrouping, chosen: Bools, spans: list[Span]) -> dict[str, int]:
    """Slots and transfers of the least slots, over all windows together."""
    orders = [order_slots(split_counts(found, chosen[a:b]), "min-transfer") for a, b in spans]
    return {
        "windows": len(spans),
        "slots": sum(order.slots for order in orders),
        "transfers": sum(order.transfers for order in orders),
    }

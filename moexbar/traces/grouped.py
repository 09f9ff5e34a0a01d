"""Groups of a layer, with what they take on the windows fitted to and scored on."""

from compiler.grouping import split_counts
from compiler.slots import order_slots
from ir.arrays import Bools, Span
from ir.chip import Chip
from ir.mapping import LayerGrouping
from moexbar.efficiency.tile_area import tile_area_um2
from moexbar.report.certificates import CertificateRow
from moexbar.report.traces import GroupRow, Taken
from moexbar.traces.scope import Scope


def group_row(found: LayerGrouping, scope: Scope, chip: Chip) -> GroupRow:
    """The groups of a layer, their area, what they take where fitted and scored, and the proof."""
    chosen = scope.routing.matrix(scope.routing.row(found.layer))
    columns = found.experts + found.replicas
    return GroupRow(
        layer=found.layer,
        groups=found.groups,
        solver=found.solver,
        replicas=found.replicas,
        columns=columns,
        area_um2=tile_area_um2(chip, len(found.groups), columns, scope.size),
        fit=_taken(found, chosen, scope.fit_spans()),
        score=_taken(found, chosen, scope.score_spans()),
        certificate=CertificateRow.of(found.certificate),
    )


def _taken(found: LayerGrouping, chosen: Bools, spans: list[Span]) -> Taken:
    """Slots and transfers of the least slots, over all windows together."""
    orders = [order_slots(split_counts(found, chosen[a:b]), "min-transfer") for a, b in spans]
    slots, transfers = sum(o.slots for o in orders), sum(o.transfers for o in orders)
    return Taken(len(spans), slots, transfers)

"""Groups of a layer, with what they take on the windows fitted to and scored on."""

from collections.abc import Sequence

from compiler.grouping import split_counts
from compiler.grouping.score import window_slots
from compiler.slots import order_slots
from ir.arrays import Bools, Span
from ir.chip import Chip
from ir.mapping import LayerGrouping
from moexbar.efficiency.tile_area import tile_area_um2
from moexbar.report.certificates import CertificateRow
from moexbar.report.traces import GroupRow, Taken
from moexbar.traces.scope import Scope


def group_rows(
    done: Sequence[LayerGrouping], scope: Scope, chip: Chip, *, quick: bool
) -> tuple[list[GroupRow], bool]:
    """The rows of all layers, and whether Ctrl-C came, if not before: then all that is quick.

    Transfers take an order of every window; without them a row takes an instant.
    """
    rows = list[GroupRow]()
    for layer in done:
        try:
            rows.append(group_row(layer, scope, chip, quick=quick))
        except KeyboardInterrupt:
            quick = True
            rows.append(group_row(layer, scope, chip, quick=True))
    return rows, quick


def group_row(found: LayerGrouping, scope: Scope, chip: Chip, *, quick: bool = False) -> GroupRow:
    """The groups of a layer, their area, what they take where fitted and scored, and the proof.

    quick: without transfers.
    """
    taken = _slots if quick else _taken
    chosen = scope.routing.matrix(scope.routing.row(found.layer))
    columns = found.experts + found.replicas
    return GroupRow(
        layer=found.layer,
        groups=found.groups,
        solver=found.solver,
        replicas=found.replicas,
        columns=columns,
        area_um2=tile_area_um2(chip, len(found.groups), columns, scope.size),
        fit=taken(found, chosen, scope.fit_spans()),
        score=taken(found, chosen, scope.score_spans()),
        certificate=CertificateRow.of(found.certificate),
    )


def _taken(found: LayerGrouping, chosen: Bools, spans: list[Span]) -> Taken:
    """Slots and transfers of the least slots, over all windows together."""
    orders = [order_slots(split_counts(found, chosen[a:b]), "min-transfer") for a, b in spans]
    slots, transfers = sum(o.slots for o in orders), sum(o.transfers for o in orders)
    return Taken(len(spans), slots, transfers)


def _slots(found: LayerGrouping, chosen: Bools, spans: list[Span]) -> Taken:
    """The slots alone."""
    return Taken(len(spans), int(window_slots(found, chosen, spans).sum()), None)

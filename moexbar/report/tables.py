"""Tables of a compilation's report: its methods and its MoE layers."""

from collections.abc import Iterator, Sequence

from moexbar.console import Fitting, table
from moexbar.report.compiled import LayerRow
from moexbar.report.methods import AreaRow, MethodRow, UnfitRow

METHODS = (
    "method",
    "slots",
    "mean\nslots",
    "trans-\nfers",
    "MoE time\nus",
    "time\nus",
    "energy\nuJ",
    "area\nmm2",
    "MoE\nmm2",
    "MoE GOPS\n/mm2",
    "GOPS/W\n/mm2",
)


def methods_table(rows: Sequence[UnfitRow | MethodRow]) -> Fitting:
    """One line per method; dashes for one that does not fit (`unfit_lines` say why)."""
    shown = table(*METHODS, least=("MoE\nmm2", "mean\nslots", "area\nmm2", "trans-\nfers"))
    for row in rows:
        if isinstance(row, UnfitRow):
            shown.add_row(f"{row.method}\ndoes not fit", *["-"] * (len(METHODS) - 1))
            continue
        shown.add_row(
            row.method,
            str(row.slots),
            f"{row.mean_slots:.1f}",
            str(row.transfers),
            _amount(row.moe_time_ns / 1000),
            _amount(row.time_ns / 1000),
            _amount(row.energy_nj.total / 1000),
            _area(row.area_mm2),
            _area(row.moe_area_mm2),
            _figure(row.moe_gops_per_mm2.value),
            _figure(row.gops_per_w_mm2.value),
            style="bold" if row is rows[-1] else None,
        )
    return shown


def unfit_lines(rows: Sequence[UnfitRow | MethodRow]) -> Iterator[str]:
    """Of each method that does not fit, what is short."""
    for row in rows:
        if isinstance(row, UnfitRow):
            yield f"{row.method}: does not fit ({row.does_not_fit.summary})"


def _area(area: AreaRow) -> str:
    """An area; a dash where some part of it is not published."""
    return "-" if area.not_published else f"{area.total:.1f}"


def _amount(value: float) -> str:
    """Two decimals, none where they would make the column wrap."""
    return f"{value:.2f}" if value < 10000 else f"{value:.0f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def layers_table(rows: Sequence[LayerRow]) -> Fitting:
    """One line per MoE layer: what was decided and what is proven."""
    shown = table(
        "layer",
        "grouping",
        "gap %",
        "slots",
        "bound",
        "transfers",
        "bound",
        "schedule",
        left=2,
        least=("gap %",),
    )
    for row in rows:
        grouping, order = row.grouping, row.schedule
        shown.add_row(
            str(row.layer),
            grouping.status,
            f"{100 * grouping.gap:.2f}",
            str(order.slots),
            str(order.slots_bound),
            str(order.transfers),
            str(order.transfers_bound),
            order.status,
        )
    return shown

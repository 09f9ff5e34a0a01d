"""Tables of a compilation's report: its methods and its MoE layers."""

from collections.abc import Iterator, Sequence

from ir.html import table as html_table
from moexbar.console import Fitting, table
from moexbar.report.compiled import LayerRow, Report
from moexbar.report.jittered import JitterRow, QuotientRow
from moexbar.report.methods import AreaRow, GainsRow, MethodRow, SizeRow, UnfitRow

METHODS = (
    "method",
    "B/in/\nback",
    "slots",
    "mean\nslots",
    "trans-\nfers",
    "MoE\nus",
    "time\nus",
    "energy\nuJ",
    "area\nmm2",
    "MoE\nmm2",
    "MoE\nGOPS\n/mm2",
    "GOPS/W\n/mm2",
)
LAYERS = ("layer", "grouping", "gap %", "slots", "bound", "transfers", "bound", "schedule")
GAINS = {  # by the report's key: name, and what it means
    "sharing": ("sharing", "our order, our groups against unshared"),
    "ordering": ("ordering", "our groups, our order against one token at a time"),
    "over_paper": ("over the paper's method", ""),
    "over_paper_baseline": ("over the paper's baseline", ""),
}


def methods_table(rows: Sequence[UnfitRow | MethodRow], jitter: JitterRow | None = None) -> Fitting:
    """One line per method; dashes for one that does not fit (`unfit_lines` say why).

    B/in/back: transfers per slot of the bus (-: no such), vectors of an input buffer, lanes of the
    return link (k: as many as a token has experts). jitter: marks times that are equal to the asked
    method's but for the schedule's noise.
    """
    same = {one.method for one in jitter.methods if equal(one.of_ours)} if jitter else set[str]()
    shown = table(
        *METHODS, least=("MoE\nmm2", "mean\nslots", "area\nmm2", "trans-\nfers", "B/in/\nback")
    )
    for row in rows:
        if isinstance(row, UnfitRow):
            shown.add_row(*_unfit_cells(row))
        else:
            cells = _method_cells(row, row.method in same)
            shown.add_row(*cells, style="bold" if row is rows[-1] else None)
    return shown


def _unfit_cells(row: UnfitRow) -> list[str]:
    return [f"{row.method}\ndoes not fit", *["-"] * (len(METHODS) - 1)]


def _method_cells(row: MethodRow, same: bool = False) -> list[str]:
    """Under the headings of METHODS; same: its time is marked as equal to the asked method's."""
    return [
        row.method,
        "/".join("-" if s.value is None else str(s.value or "k") for s in row.sizes or ()),
        str(row.slots),
        f"{row.mean_slots:.1f}",
        str(row.transfers),
        _amount(row.moe_time_ns / 1000),
        "=" * same + _amount(row.time_ns / 1000),
        _amount(row.energy_nj.total / 1000),
        _area(row.area_mm2),
        _area(row.moe_area_mm2),
        _figure(row.moe_gops_per_mm2.value),
        _figure(row.gops_per_w_mm2.value),
    ]


def report_html(report: Report) -> str:
    """A report as tables for a notebook: its methods, and its MoE layers with what is proven."""
    window = report.window
    title = f"{report.model.name} on {report.chip.summary.name}: prefill of {window.prefill} tokens"
    title += f", {window.decode} decode steps" * (window.decode > 0)
    methods = [
        _unfit_cells(row) if isinstance(row, UnfitRow) else _method_cells(row)
        for row in report.methods
    ]
    headings = [" ".join(name.replace("-\n", "").split()) for name in METHODS]
    note = (
        f"all {len(report.checks)} checks passed; seed {report.solver.seed}; "
        f"{len(report.assumed)} numbers of the chip are assumed"
    )
    layers = html_table("MoE layers", LAYERS, map(_layer_cells, report.layers))
    return html_table(title, headings, methods, note) + layers * bool(report.layers)


def unfit_lines(rows: Sequence[UnfitRow | MethodRow]) -> Iterator[str]:
    """Of each method that does not fit, what is short."""
    for row in rows:
        if isinstance(row, UnfitRow):
            yield f"{row.method}: does not fit ({row.does_not_fit.summary})"


def size_lines(row: MethodRow) -> Iterator[str]:
    """What was tried of each slot order, and of each size that the chip leaves open."""
    if row.orders:
        times = (f"{one.scheduling}: {one.time_ns / 1000:.1f} us" for one in row.orders)
        yield f"slot order {', '.join(times)}; kept {row.scheduling}"
    for size in row.sizes or ():
        if size.tried:
            yield _size_line(size)


def _size_line(size: SizeRow) -> str:
    times = (f"{one.value}: {one.time_ns / 1000:.1f} us" for one in size.tried)
    return f"{size.field} {', '.join(times)}; kept {size.value}"


def gain_lines(gains: GainsRow, jitter: JitterRow | None = None) -> Iterator[str]:
    """What sharing gains and what ordering gains, and the share at which sharing gains nothing.

    jitter: gives the gains their ranges; one whose range includes 1 is called equal.
    """
    ranges = {} if jitter is None else jitter.gains
    for field, (name, means) in GAINS.items():
        times = getattr(gains, field)
        if times is not None:
            found = _gained(times, ranges.get(field))
            yield f"{name}: {found} MoE GOPS/mm2" + f" ({means})" * bool(means)
    if gains.sharing is not None and gains.peripheral_share is not None:
        yield (
            f"sharing breaks even where peripherals are {_share(gains.break_even_programs)} of a "
            f"core by the programs' times, {_share(gains.break_even_slots)} by slots alone; "
            f"taken here: {_share(gains.peripheral_share)}"
        )


def _gained(times: float, found: QuotientRow | None) -> str:
    """A gain, with its range where it has one, as words before its unit."""
    if found is None:
        return f"{times:.2f} x"
    return with_range(times, found) + (" in" if found.equal else " x")


def with_range(value: float, found: QuotientRow) -> str:
    """A quotient and its range over the runs; the word equal where it may as well be 1."""
    shown = "equal" if found.equal else f"{value:.3f}"
    return f"{shown} ({found.low:.3f}-{found.high:.3f})"


def equal(found: QuotientRow | None) -> bool:
    """Whether a quotient is known, and may as well be 1."""
    return found is not None and found.equal


def _share(share: float | None) -> str:
    return "more than all" if share is None else f"{100 * share:.0f} %"


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
    shown = table(*LAYERS, left=2, least=("gap %",))
    for row in rows:
        shown.add_row(*_layer_cells(row))
    return shown


def _layer_cells(row: LayerRow) -> list[str]:
    """Under the headings of LAYERS."""
    grouping, order = row.grouping, row.schedule
    return [
        str(row.layer),
        grouping.status,
        f"{100 * grouping.gap:.2f}",
        str(order.slots),
        str(order.slots_bound),
        str(order.transfers),
        str(order.transfers_bound),
        order.status,
    ]

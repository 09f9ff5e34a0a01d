"""What is proven, what was checked, and what was assumed: tables of a compilation's page."""

from collections.abc import Iterator

from moexbar.page.html import Html
from moexbar.page.parts import Cell, facts, folded, lines, names, number, paragraph, table
from moexbar.report.certificates import CertificateRow
from moexbar.report.chips import ChipField
from moexbar.report.compiled import Report
from moexbar.report.executed import Executed
from moexbar.report.weights import WeightsRow


def assumed(report: Report) -> tuple[Html, ...]:
    """The numbers that no source publishes, with their bands."""
    found = {path: one for path, one in report.chip.fields.items() if one.assumed}
    if not found:
        return (paragraph("Every number of this chip has a source."),)
    banded = sum(one.low is not None for one in found.values())
    told = (
        f"{len(found)} of the chip's {len(report.chip.fields)} numbers have no published value; "
        f"{banded} of them have a band."
    )
    rows = [_field(path, one) for path, one in found.items()]
    shown = table(FIELDS, rows, words=(0, 4), caption="Assumed numbers, their bands, and why")
    return paragraph(told), folded("The assumed numbers", shown)


FIELDS = ("number", "value", "low", "high", "source")


def _field(path: str, one: ChipField) -> tuple[Cell, ...]:
    value = one.written if one.written is not None else _plain(one.value)
    return path, value, one.low, one.high, Html() if one.source is None else one.source


def _plain(value: bool | int | float | str | None) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def chip_numbers(report: Report) -> tuple[Html, ...]:
    """Every number of the chip with its source, and what was changed."""
    chip = report.chip
    told = f"{chip.summary.description}. Crossbars of {chip.summary.rows} x {chip.summary.columns}."
    set_here = [f"set for this run: {change.key} = {change.value}" for change in chip.changes]
    rows = [_field(path, one) for path, one in chip.fields.items()]
    shown = table(FIELDS, rows, words=(0, 4), caption="All numbers, as the chip file writes them")
    return paragraph(told), lines(set_here), folded(f"All {len(rows)} numbers", shown)


def weights(found: WeightsRow) -> tuple[Html, ...]:
    """Where the numbers that the model file stores go."""
    told = (
        f"{found.crossbar:,} of {found.matrices:,} elements of matrices and tables are on "
        f"crossbars: {found.placed_percent:.1f} %, {found.placed_percent_outside_tables:.1f} % "
        "without lookup tables."
    )
    rows = [
        (g.operator, g.held, g.reason, g.first, f"{g.nodes:,}", f"{g.elements:,}", g.percent)
        for g in found.groups
    ]
    head = ("operator", "held as", "why not on crossbars", "first node", "nodes", "elements", "%")
    shown = (
        table(head, rows, words=(0, 1, 2, 3), caption="What digital units hold") if rows else Html()
    )
    return paragraph(told), shown


def checks(report: Report) -> tuple[Html, ...]:
    """Names of the checks, and what executing the program gave."""
    ran, told = report.executed, f"All {len(report.checks)} checks of mapping and program passed."
    if not isinstance(ran, Executed):
        return paragraph(told), names(report.checks), paragraph(f"Not executed: {ran.skipped}.")
    rows = [
        (one.value, str(one.layer) if one.layer >= 0 else "-", _small(one.max_relative))
        for one in (*ran.outputs, *ran.moe_layers)
    ]
    shown = table(("value", "layer", ran.norm), rows, caption="Beside ONNX Runtime, value by value")
    return (
        paragraph(told),
        names(report.checks),
        paragraph(f"{ran.summary}."),
        folded("Largest errors", shown),
    )


def _small(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.2g}"


PROOFS = ("decision", "what is minimised", "status", "value", "proven bound", "gap %")


def certificates(report: Report) -> tuple[Html, ...]:
    """What is proven of every decision."""
    rows = list(_certificates(report))
    if not rows:
        return (paragraph("There was nothing to decide."),)
    told = (
        "A bound is proven: no answer has less. The gap is (value - bound) / value; "
        f"seed {report.solver.seed}, {number(report.solver.time_s)} s for each solve."
    )
    return paragraph(told), table(PROOFS, rows, words=(0, 1, 2))


def _certificates(report: Report) -> Iterator[tuple[Cell, ...]]:
    for layer in report.layers:
        yield _certificate(f"groups of layer {layer.layer}", layer.grouping)
        order = layer.schedule
        named = f"slots of layer {layer.layer} ({order.policy})"
        yield (named, "slots", "", *_gap(order.slots, order.slots_bound), "")
        broadcasts = f"transfers of layer {layer.layer}"
        yield (
            broadcasts,
            "transfers",
            order.status,
            *_gap(order.transfers, order.transfers_bound),
            "",
        )
    placement = report.placement
    if placement.traffic is not None:
        yield _certificate(f"placement ({placement.solver})", placement.traffic)
    if placement.stacks is not None and placement.stacks.met is not None:
        yield _certificate(f"stacks ({placement.stacks.solver})", placement.stacks.met)
    if report.dies is not None:
        yield _certificate(f"dies ({report.dies.solver})", report.dies.traffic)


def _certificate(name: str, row: CertificateRow) -> tuple[Cell, ...]:
    value, bound, _ = _gap(row.value, row.bound)
    return (
        name,
        row.objective,
        row.status,
        value,
        bound,
        f"{100 * row.gap:.2f}",
    )


def _gap(value: int, bound: int) -> tuple[str, str, str]:
    return f"{value:,}", f"{bound:,}", f"{100 * (value - bound) / max(value, 1):.2f}"


def origin(report: Report) -> Html:
    """What was compiled, by whom, and on which tokens."""
    window, model = report.window, report.model
    tokens = f"{window.prefill} tokens" + f" of {window.batch} sequences" * (window.batch > 1)
    steps = f", then {window.decode} decode steps" * (window.decode > 0)
    first, end = window.fit_tokens
    fitted = f"tokens {first} to {end} of {window.trace_tokens} of the routing trace"
    found: list[tuple[str, Cell]] = [
        ("Model", f"{model.name}, SHA-256 {model.sha256[:16]}"),
        ("Chip", f"{report.chip.summary.name}: {report.chip.summary.description}"),
        ("Window", f"a prefill of {tokens}{steps}"),
        ("By", f"moexbar {report.moexbar}, seed {report.solver.seed}"),
    ]
    if report.layers:
        scored = ", which overlap those scored on" * window.scored_on_fitted
        found.append(("Fitted to", f"{fitted}; scored from token {window.first_token} on{scored}"))
    return facts(found)

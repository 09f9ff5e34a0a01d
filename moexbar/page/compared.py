"""The page of a comparison of grouping solvers."""

from collections.abc import Iterator

from moexbar import __version__
from moexbar.figures.objective import objective
from moexbar.page.document import Page, Section
from moexbar.page.html import Html
from moexbar.page.parts import Cell, facts, lines, number, paragraph, pictures, table
from moexbar.report.traces import ComparedLayer, CompareReport, CompareRow

HEAD = ("layer", "solver", "status", "fit slots", "bound", "gap %", "score slots", "seconds")


def compared_page(report: CompareReport) -> Page:
    """Every solver on the same layers: what each answered, when, and what is proven."""
    solvers = list(dict.fromkeys(row.solver for layer in report.layers for row in layer.solvers))
    sections = [
        Section("what", "What was compared", (_origin(report, solvers),)),
        Section("answers", "Answers", (paragraph(MEANING), _table(report), _best(report))),
        Section("time", "Objective over time", (pictures(objective(report)),)),
        Section("groups", "Groups", (_groups(report),)),
    ]
    return Page(
        title=f"{len(solvers)} solvers on {len(report.layers)} MoE layers",
        over="The same grouping problem through every solver",
        under=f"Groups of at most {report.size} experts; windows of {report.window} tokens.",
        written=f"Written by moexbar {__version__} from an output of moexbar {report.moexbar}.",
        sections=tuple(one for one in sections if any(one.body)),
    )


MEANING = (
    "Fit: slots summed over the fitted windows, which is minimised. Score: slots summed over "
    "windows of other tokens. The gap is to the best bound that any solver has proven."
)


def _origin(report: CompareReport, solvers: list[str]) -> Html:
    found: list[tuple[str, Cell]] = [
        ("Solvers", ", ".join(solvers)),
        ("Window", f"{report.window} tokens in flight together"),
        ("Groups", f"at most {report.size} experts share peripheral groups"),
        ("By", f"moexbar {report.moexbar}, seed {report.seed}"),
        ("Limit", f"{number(report.time_s)} s for each solver and layer"),
    ]
    if report.interrupted:
        found.append(("Note", "ended early: the best answers so far"))
    return facts(found)


def _table(report: CompareReport) -> Html:
    rows = [_row(layer, row) for layer in report.layers for row in layer.solvers]
    return table(HEAD, rows, words=(0, 1, 2), caption="Click a heading to sort")


def _row(layer: ComparedLayer, row: CompareRow) -> tuple[Cell, ...]:
    known = row.certificate
    figures = f"{known.value:,}", f"{known.bound:,}", f"{100 * known.gap:.2f}"
    return (
        str(layer.layer),
        row.solver,
        known.status,
        *figures,
        f"{row.score:,}",
        known.took,
    )


def _best(report: CompareReport) -> Html:
    return lines(filter(None, map(_best_of, report.layers)))


def _best_of(layer: ComparedLayer) -> str:
    """Who has the fewest slots, and whether that is proven."""
    if not layer.solvers:
        return f"Layer {layer.layer}: no solver has answered."
    least = min(row.certificate.value for row in layer.solvers)
    who = [row.solver for row in layer.solvers if row.certificate.value == least]
    proven = ", which no groups beat" if least == layer.bound else ""
    return f"Layer {layer.layer}: {least:,} slots by {', '.join(who)}{proven}."


def _groups(report: CompareReport) -> Html:
    return table(
        ("layer", "solver", "groups"),
        _group_rows(report),
        words=(0, 1, 2),
        caption="Experts of each group",
    )


def _group_rows(report: CompareReport) -> Iterator[tuple[str, str, str]]:
    for layer in report.layers:
        for row in layer.solvers:
            told = "  ".join("{" + ", ".join(map(str, group)) + "}" for group in row.groups)
            yield str(layer.layer), row.solver, told

"""The validation table for people, in 80 columns: rows, causes, what could not be compared."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from moexbar.console import Fitting, table
from moexbar.report.validated import ValidatedRow, ValidateReport
from moexbar.validation.claim import EVIDENCE
from moexbar.validation.rows import STUDIES

WIDTH = 80
FAR = 30  # per cent


def show(report: ValidateReport, console: Console) -> None:
    """Print everything."""
    console.print(_table(report), width=WIDTH)
    fitted = len(report.rows) - report.independent
    console.print(
        f"\n{report.independent} independent rows: error {report.mean_error_percent:.1f} % in the "
        f"mean, {report.median_error_percent:.1f} % in the median, at most "
        f"{report.largest_error_percent:.1f} % ({report.largest}).\n{fitted} rows marked f were "
        "used to set a preset or are of code whose rules one takes over.\n"
        "* second-hand: read where others quote the source.",
        width=WIDTH,
    )
    _list(console, "Why rows differ:", _causes(report))
    _list(console, "Not compared:", (f"{u.quantity}: {u.why}" for u in report.unmatched))
    _list(console, "Sources:", (f"{s.title}: {EVIDENCE[s.evidence]}; {s.source}" for s in STUDIES))


def _table(report: ValidateReport) -> Fitting:
    shown = table("quantity", "unit", "published", "ours", "error %", "", left=2)
    for study, rows in groupby(report.rows, lambda row: row.study):
        shown.add_row(Text(study, "bold"), "", "", "", "", "")
        for row in rows:
            shown.add_row(*_cells(row), style=None if row.independent else "dim")
    return shown


def _cells(row: ValidatedRow) -> tuple[str | Text, ...]:
    far = row.independent and abs(row.error_percent) > FAR
    return (
        f"  {row.quantity}{' *' if row.second_hand else ''}",
        row.unit,
        _number(row.published),
        _number(row.ours),
        Text(f"{row.error_percent:+.1f}", "red" if far else ""),
        "" if row.independent else "f",
    )


def _number(value: float) -> str:
    """Six digits, without an exponent."""
    return f"{value:.0f}" if value >= 1e5 else f"{value:.6g}"


def _causes(report: ValidateReport) -> Iterator[str]:
    for row in report.rows:
        if row.cause:
            yield f"{row.study}, {row.quantity}: {row.cause}"


def _list(console: Console, title: str, lines: Iterable[str]) -> None:
    console.print(f"\n{title}")
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 2)), width=WIDTH)

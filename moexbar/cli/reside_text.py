"""What `moexbar reside` prints: methods side by side, what is proven, costs by kind of cell."""

from pathlib import Path

from moexbar.console import Fitting, out, table
from moexbar.report.resident import ResidentCostRow, ResideReport


def print_residents(report: ResideReport, output: Path | None) -> None:
    """The tables, and lines on what they rest on."""
    console = out()
    console.print(_counts(report))
    value = sum(pool.certificate.value for pool in report.pools)
    bound = sum(pool.certificate.bound for pool in report.pools)
    held = sum(pool.residents for pool in report.pools)
    rooms = len(report.pools)
    of = "one pool" if report.share == "chip" else f"{rooms} layers with room of their own"
    console.print(
        f"{held} of {report.experts} experts resident, {of}; cp-sat's {report.objective} on the "
        f"fit range: {value:,}, no fixed residents have fewer than {bound:,}"
    )
    if any(cost != _nothing(cost.cells) for row in report.methods for cost in row.costs):
        console.print(_costs(report))
        console.print(_assumed(report))
    if output is not None:
        console.print(f"written: {output}, for moexbar compile --digital-experts")
    console.print(f"seed {report.seed}; --json gives the residents and all counts")


def _nothing(cells: str) -> ResidentCostRow:
    return ResidentCostRow(cells, None, None, None, None, None)


def _counts(report: ResideReport) -> Fitting:
    shown = table(
        "method",
        "fit misses %",
        "stalls %",
        "score misses %",
        "stalls %",
        "writes",
        "a cell, 1e6 tokens",
        "most",
        least=("writes", "most"),
    )
    for row in report.methods:
        shown.add_row(
            row.method,
            f"{row.fit.miss_percent:.2f}",
            f"{row.fit.stall_percent:.2f}",
            f"{row.score.miss_percent:.2f}",
            f"{row.score.stall_percent:.2f}",
            f"{row.score.writes:,}",
            f"{row.score.writes_per_million:,.0f}",
            f"{row.score.most_writes_per_million:,.0f}",
        )
    return shown


def _costs(report: ResideReport) -> Fitting:
    shown = table("method", "cells", "waits us a token", "uJ a token", "years", left=2)
    for row in report.methods:
        alike = len({cost.wait_low_ns for cost in row.costs}) == 1 and not row.score.writes
        for cost in row.costs[:1] if alike else row.costs:
            shown.add_row(
                row.method,
                "any" if alike else cost.cells,
                _band(cost.wait_low_ns, cost.wait_high_ns, 1e3),
                "-" if cost.energy_nj is None else f"{cost.energy_nj / 1e3:,.3g}",
                "no writes" if alike else _band(cost.years_low, cost.years_high, 1),
            )
    return shown


def _band(low: float | None, high: float | None, unit: float) -> str:
    if low is None or high is None:
        return "-"
    texts = f"{low / unit:.3g}", f"{high / unit:.3g}"
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _assumed(report: ResideReport) -> str:
    at_once = (
        "from all crossbars of a visit's experts to one of the chip at once"
        if report.writers is None
        else f"{report.writers} crossbars at once"
    )
    return (
        f"writes: {at_once}, pulses alone; years: from the least endurance in the slot written "
        "most to the most with writes spread evenly; - is not published or not asked for"
    )

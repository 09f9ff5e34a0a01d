"""The figures of a compilation that everyone asks for: with bands, bounds and gaps."""

from collections.abc import Iterator

from moexbar.page.html import Html
from moexbar.page.parts import Card, cards, lines, number, table
from moexbar.report.compiled import Report
from moexbar.report.dies import dies_lines
from moexbar.report.methods import AreaRow, Banded, MethodRow, UnfitRow
from moexbar.report.sizes import size_line
from moexbar.report.tables import gain_lines, size_lines, unfit_lines

HEAD = (
    "method",
    "slots",
    "transfers",
    "MoE us",
    "time us",
    "energy uJ",
    "area mm2",
    "MoE GOPS/mm2",
    "GOPS/W/mm2",
)


def headline(report: Report) -> tuple[Html, ...]:
    """Cards of the asked method, all methods as a table, and what is gained."""
    rows = report.methods
    ours = rows[-1]
    shown = cards(_cards(report, ours)) if isinstance(ours, MethodRow) else Html()
    told = [*unfit_lines(rows)]
    told += size_lines(ours) if isinstance(ours, MethodRow) else ()
    told += gain_lines(report.gains, report.jitter) if report.gains is not None else ()
    told += _large(report)
    return shown, methods(rows), lines(told)


def methods(rows: tuple[UnfitRow | MethodRow, ...]) -> Html:
    """One line per method, the asked one last and in bold."""
    return table(HEAD, map(_row, rows), ours=len(rows) - 1, caption="The methods side by side")


def _row(row: UnfitRow | MethodRow) -> tuple[str, ...]:
    if isinstance(row, UnfitRow):
        return (f"{row.method} (does not fit)", *["-"] * (len(HEAD) - 1))
    return (
        row.method,
        f"{row.slots:,}",
        f"{row.transfers:,}",
        number(row.moe_time_ns / 1000),
        number(row.time_ns / 1000),
        number(row.energy_nj.total / 1000),
        _area(row.area_mm2),
        number(row.moe_gops_per_mm2.value, 3),
        number(row.gops_per_w_mm2.value, 3),
    )


def _cards(report: Report, row: MethodRow) -> Iterator[Card]:
    gap = 1 - row.time_bound_ns / row.time_ns if row.time_ns else 0.0
    bound = f"proven: at least {number(row.time_bound_ns / 1000)} (gap {100 * gap:.1f} %)"
    yield Card("Time", number(row.time_ns / 1000), "us", (bound, *_band(report, "time_ns", 1e-3)))
    rate = report.window.tokens * 1e3 / row.time_ns if row.time_ns else None
    yield Card("Rate", number(rate), "M tokens/s", (f"{report.window.tokens} tokens in that time",))
    energy = row.energy_nj
    static = f"static power {100 * sum(energy.static.values()) / max(energy.total, 1e-9):.1f} %"
    told = (*_band(report, "energy_nj", 1e-3), static)
    yield Card("Energy", number(energy.total / 1000), "uJ", told)
    missing = row.area_mm2.not_published
    without = (f"not published: {', '.join(missing)}",) if missing else ()
    large = (f"{number(report.size.reticles, 2)} reticles",) if report.size is not None else ()
    told = (*_band(report, "area_mm2", 1.0), *large, *without)
    yield Card("Area", _area(row.area_mm2), "mm2", told)
    yield Card("MoE layers", *_banded(report, "moe_gops_per_mm2", row.moe_gops_per_mm2))
    yield Card("Efficiency", *_banded(report, "gops_per_w_mm2", row.gops_per_w_mm2))
    decoding = report.steps.decoding
    if decoding is not None:
        step = f"a step in {number(decoding.step_ns / 1000)} us"
        least = max(decoding.chain_ns, decoding.busiest_ns) / 1000
        told = step, f"at least {number(least)} us"
        yield Card("Decoding", number(decoding.tokens_per_s), "tokens/s", told)


def _banded(report: Report, name: str, found: Banded) -> tuple[str, str, tuple[str, ...]]:
    """A quotient with the band that every report has, and those of --bands where asked for."""
    unit = "GOPS/mm2" if name.startswith("moe") else "GOPS/W/mm2"
    told = _band(report, name, 1.0)
    if not told and found.low is not None and found.high is not None and found.low < found.high:
        ends = f"{number(found.low, 3)} to {number(found.high, 3)}"
        told = (f"{ends} over assumed areas",)
    return number(found.value, 3), unit, told


def _band(report: Report, name: str, unit: float) -> tuple[str, ...]:
    """Ranges of a figure over the chip's assumed numbers, where they were asked for."""
    for row in report.bands.figures if report.bands is not None else ():
        low, high = row.one_at_a_time.low, row.one_at_a_time.high
        if row.name == name and low is not None and high is not None:
            most = f", most by {row.most}" if row.most else ""
            return (f"{number(unit * low)} to {number(unit * high)} over bands{most}",)
    return ()


def _area(area: AreaRow) -> str:
    return number(area.total) + (" +" if area.not_published else "")


def _large(report: Report) -> Iterator[str]:
    if report.dies is not None:
        yield from dies_lines(report.dies)
    elif report.size is not None:
        yield size_line(report.size)

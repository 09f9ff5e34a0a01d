"""What `moexbar compile --bands` prints: figures with their ranges, and what moves them most."""

from collections.abc import Iterator

from moexbar.console import Fitting, table
from moexbar.report.banded import AssumptionRow, BandsRow, FigureRow, RangeRow
from moexbar.report.jittered import JitterRow
from moexbar.report.tables import equal

FIGURES = {  # by the report's key: heading, what one unit of the key is in the heading's
    "time_ns": ("time us", 1e-3),
    "energy_nj": ("energy uJ", 1e-3),
    "area_mm2": ("area mm2", 1.0),
    "moe_gops_per_mm2": ("MoE GOPS/mm2", 1.0),
    "gops_per_w_mm2": ("GOPS/W/mm2", 1.0),
    "sharing": ("gain of sharing", 1.0),
    "over_paper": ("gain over the paper's", 1.0),
    "break_even_programs": ("break-even share %", 100.0),
}
SHORT = {
    "time_ns": "time",
    "energy_nj": "energy",
    "area_mm2": "area",
    "moe_gops_per_mm2": "MoE\nGOPS\n/mm2",
    "gops_per_w_mm2": "GOPS\n/W/mm2",
    "sharing": "shar-\ning",
    "over_paper": "over\npaper",
    "break_even_programs": "break-\neven",
}
LEAST_PART = 0.01  # of the energy, to have a line
AGAIN = {"cost": "c", "time": "t", "place": "p"}


def figures_table(bands: BandsRow, jitter: JitterRow | None = None) -> Fitting:
    """One line per figure: its value, its ranges, and the number that moves it most.

    jitter: a gain that is the schedule's noise is called equal.
    """
    shown = table("figure", "value", "one at a time", f"{bands.draws} draws", "most by")
    for row in bands.figures:
        name, unit = FIGURES[row.name]
        value = _value(row, unit, jitter)
        ranges = (_range(one, unit) for one in (row.one_at_a_time, row.together))
        shown.add_row(name, value, *ranges, row.most or "-")
    return shown


def energy_table(bands: BandsRow) -> Fitting:
    """One line per part of the energy that may be a hundredth of it, as for figures."""
    shown = table("energy uJ of", "value", "one at a time", f"{bands.draws} draws", "most by")
    least = LEAST_PART * sum(row.value or 0 for row in bands.energy)
    for row in bands.energy:
        if (row.one_at_a_time.high or 0) >= least:
            ranges = (_range(one, 1e-3) for one in (row.one_at_a_time, row.together))
            shown.add_row(row.name, f"{1e-3 * (row.value or 0):.4g}", *ranges, row.most or "-")
    return shown


def swings_table(bands: BandsRow) -> Fitting:
    """One line per number whose band moves a figure: by how many per cent it swings each."""
    names = [row.name for row in bands.figures]
    shown = table("number", "band", "", *(SHORT[name] for name in names), left=3)
    for row in filter(_moves, bands.assumptions):
        swings = (_swing(100 * row.figures[name].swing) for name in names)
        shown.add_row(row.field, _band(row), AGAIN[row.effect], *swings)
    return shown


def band_lines(bands: BandsRow) -> Iterator[str]:
    """What the tables mean, and what is not in them."""
    yield (
        "swings in per cent of the figure, of the break-even share in points; c: areas and static "
        "power of the same program; t: the same mapping and slot order timed again; p: the same "
        "groups placed again. Groups, slot order and sizes stay."
    )
    still = [row.field for row in bands.assumptions if not _moves(row)]
    if still:
        yield f"that move nothing here: {', '.join(still)}"
    yield f"draws: all numbers together, uniform over their bands, seed {bands.seed}"
    if bands.unfit:
        yield f"{bands.unfit} of {bands.draws} draws do not fit the chip and are left out"
    if bands.left_out:
        yield f"left out, as experts would be grouped anew: {', '.join(bands.left_out)}"


def _moves(row: AssumptionRow) -> bool:
    """Whether the band of a number moves any figure."""
    return any(ends.swing for ends in row.figures.values())


def _value(row: FigureRow, unit: float, jitter: JitterRow | None) -> str:
    if jitter is not None and equal(jitter.gains.get(row.name)):
        return "equal"
    return "-" if row.value is None else f"{unit * row.value:.4g}"


def _range(found: RangeRow, unit: float) -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"{unit * found.low:.4g} to {unit * found.high:.4g}"


def _band(row: AssumptionRow) -> str:
    return f"{row.low}..{row.high}"


def _swing(per_cent: float) -> str:
    return f"{per_cent:.1f}" if per_cent else "-"

"""Waiting, energy and wear of what a stream of accesses came to."""

from dataclasses import dataclass

from compiler.residency.outcome import Outcome
from ir import timing
from ir.chip import Chip
from moexbar.residency.cells import Cells
from moexbar.residency.footprint import Footprint

YEAR_S = 365.25 * 24 * 3600


@dataclass(frozen=True)
class Band:
    """A figure from low to high."""

    low: float
    high: float


def waiting_ps(
    found: Outcome, kind: Cells, print_of: Footprint, chip: Chip, writers: int | None
) -> tuple[int, int] | None:
    """(least, most) time of a stream in which somebody waits for missed experts.

    writers: crossbars that are written at once, row by row, in turn where there are more; None: all
    of a visit's experts at once (least) or one on the whole chip (most). A visit's experts come
    from DRAM one after another meanwhile, and the longer of both counts. Digital ones: their
    weights from DRAM, then their products for the visit's tokens, on one digital unit, one expert
    after another. None where experts are written and the time of a row is not published.
    """
    data, macs = print_of.weight_bytes, print_of.macs
    digital = found.bypassed * timing.dram(chip, data).duration_ps
    if found.bypassed_pairs:
        digital += found.bypassed_pairs * timing.macs(chip, macs).duration_ps
    if not found.writes:
        return digital, digital
    if kind.row_ps is None:
        return None
    least = most = digital
    for experts, visits in found.written:
        fetch = timing.dram(chip, experts * data).duration_ps
        tiles = experts * print_of.crossbars
        at_once = tiles if writers is None else writers
        quick = -(-tiles // at_once) * print_of.most_rows
        slow = experts * print_of.rows if writers is None else quick
        least += visits * max(fetch, quick * kind.row_ps)
        most += visits * max(fetch, slow * kind.row_ps)
    return least, most


def energy_fj(found: Outcome, kind: Cells, print_of: Footprint, chip: Chip) -> int | None:
    """Of reading missed experts from DRAM, writing cells, and products on digital units.

    The crossbars' own products are not in it. None where experts are written and the energy of a
    cell is not published.
    """
    if found.writes and kind.cell_fj is None:
        return None
    read = timing.dram(chip, print_of.weight_bytes).energy_fj
    total = found.misses * read + found.writes * print_of.cells * (kind.cell_fj or 0)
    if found.bypassed_pairs:
        total += found.bypassed_pairs * timing.macs(chip, print_of.macs).energy_fj
    return total


def writes_per_million(found: Outcome) -> tuple[float, float]:
    """Writes of a cell in a million tokens: of the mean slot, and of the one written most.

    Every write of an expert writes every cell of its slot once.
    """
    scale = 1e6 / found.tokens if found.tokens else 0.0
    mean = found.writes / found.slots if found.slots else 0.0
    return mean * scale, found.most_writes * scale


def years(found: Outcome, kind: Cells, rate: float) -> Band | None:
    """Until the endurance is used up at so many tokens a second; None: no writes, or not published.

    Low: the least endurance in the slot written most. High: the most, with writes spread evenly.
    """
    if not found.writes or kind.endurance is None:
        return None
    mean, most = (writes * rate * YEAR_S / 1e6 for writes in writes_per_million(found))
    return Band(kind.endurance[0] / most, kind.endurance[1] / mean)

"""What writing crossbars takes by kind of cell, as published, with the writes that cells survive.

Times are of the pulses of one row, all its cells at once: no check of what was written, and no
second try. So they are the least, and the kinds are a band, not a forecast.
"""

from dataclasses import dataclass

from ir.chip import Chip, Write


@dataclass(frozen=True)
class Cells:
    """A kind of memory cell.

    row_ps: a row of a crossbar; cell_fj: a cell; None: not published. endurance: writes that a cell
    survives, (least, most) of what is published; None: not published.
    """

    name: str
    row_ps: int | None
    cell_fj: int | None
    endurance: tuple[int, int] | None
    source: str


ENDURANCE = "NVMExplorer, EnduranceSummary.csv"
PCM = Cells(
    "pcm",
    150_000,
    None,
    (100_000, 200_000_000_000),
    "NVSim cells in hwcomponents-neurosim: set 150 uA for 150 ns, reset 300 uA for 40 ns, no "
    f"voltage, so no energy; {ENDURANCE}: 1e5 to 2e11",
)
RRAM = Cells(
    "rram",
    10_000,
    600,
    (10_000, 1_000_000_000),
    f"NVSim cells in hwcomponents-neurosim: 10 ns, 0.6 pJ; {ENDURANCE}, memristors: 1e4 to 1e9",
)
PUMA = Cells(
    "puma",
    85_700,
    1_290,
    (10_000, 1_000_000_000),
    "PUMA simulator: 10.97 us and 21.1 nJ a crossbar of 128 x 128; "
    f"{ENDURANCE}, memristors: 1e4 to 1e9",
)
KINDS = (PCM, RRAM, PUMA)


def kinds_of(chip: Chip) -> tuple[Cells, ...]:
    """The published kinds, and the chip's own cells where its file says what writing takes."""
    own = chip.write
    if own == Write() or chip.name == PUMA.name:
        return KINDS
    endurance = None if own.endurance is None else (own.endurance, own.endurance)
    return (*KINDS, Cells("chip", own.row_ps, own.cell_fj, endurance, f"write of {chip.name}"))

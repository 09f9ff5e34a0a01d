"""How much of a core must be peripherals for sharing them to pay, with all else the same.

Sharing takes longer and saves peripherals. Both are judged by what they give per time and area, so
a shared chip breaks even where time x area are those of the unshared one. A core's array and
peripherals together stay what they are (`backends.cost.with_peripherals`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from backends.band import with_peripherals
from backends.cost import cost, moe_area
from ir.chip import Chip
from ir.program import Inventory, Program


@dataclass(frozen=True, eq=False)
class Run:
    """A program on its chip, and the slots of its window."""

    program: Program
    chip: Chip
    slots: int


def peripheral_share(chip: Chip) -> float | None:
    """Peripherals of a core, as a fraction of it; None where areas are not published."""
    if chip.pg.peripheral_um2 is None or chip.crossbar.array_um2 is None:
        return None
    return chip.pg.peripheral_um2 / (chip.pg.peripheral_um2 + chip.crossbar.array_um2)


def share_by_slots(shared: Run, alone: Run) -> float | None:
    """The share p at which slots x experts' cores are alike: 0 = at any, None = at none.

    With n crossbars behind a peripheral group it solves slots(n) (1 - p + p / n) = slots(1); the
    cores that the programs take are counted, so that copies and uneven groups count too.
    """
    whole, pgs = _experts(shared.program.inventory)
    before = alone.slots * sum(_experts(alone.program.inventory)) / 2  # of each there are as many
    saved = shared.slots * (whole - pgs)
    lost = shared.slots * whole - before
    if lost <= 0:
        return 0.0
    return lost / saved if lost <= saved else None


def _experts(inventory: Inventory) -> tuple[int, int]:
    """Crossbars and peripheral groups of the routed experts."""
    return inventory.expert_crossbars, inventory.expert_pgs


def share_by_programs(shared: Sequence[Run], alone: Sequence[Run]) -> float | None:
    """The share at which both give as many MoE GOPS/mm2: 0 = at any, None = at none, or unknown.

    Of several programs of a chip, over all of them together, in the mean of their areas. By
    bisection over the peripherals' area, whole um2.
    """
    chip = shared[0].chip
    missing = moe_area(shared[0].program, chip).missing
    if peripheral_share(chip) is None or missing:
        return None
    whole = (chip.pg.peripheral_um2 or 0) + (chip.crossbar.array_um2 or 0)
    rates = _rate(shared), _rate(alone)

    def pays(peripheral_um2: int) -> bool:
        """Whether the shared program gives as much, with so much of a core peripherals."""
        here, there = (_mean_area(runs, peripheral_um2) for runs in (shared, alone))
        return rates[0] * there >= rates[1] * here

    low, high = 0, whole
    if pays(low):
        return 0.0
    if not pays(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if pays(middle) else (middle, high)
    return high / whole


def _mean_area(runs: Sequence[Run], peripheral_um2: int) -> Fraction:
    """Area of the MoE part, um2, with so much of a core peripherals."""
    areas = (
        moe_area(run.program, with_peripherals(run.chip, peripheral_um2)).total_um2 for run in runs
    )
    return Fraction(sum(areas), len(runs))


def _rate(runs: Sequence[Run]) -> Fraction:
    """Multiply-accumulates of the MoE part in a ps of its time."""
    parts = [cost(run.program, run.chip) for run in runs]
    macs = sum(part.macs for one in parts for part in one.moe)
    return Fraction(macs, max(sum(one.moe_time_ps for one in parts), 1))

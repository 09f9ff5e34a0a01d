"""Ranges of the headline figures over the chip's numbers that have a band."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RangeRow:
    """Least and largest of a figure; null where it is known nowhere.

    low: the least.
    high: the largest.
    """

    low: float | None
    high: float | None


@dataclass(frozen=True)
class FigureRow:
    """A figure, or a part of the energy, with its ranges.

    name: `time_ns`, `energy_nj`, `area_mm2`, `moe_gops_per_mm2` and `gops_per_w_mm2` of the asked
        method; `sharing` and `over_paper`, how many times the MoE GOPS/mm2 of the unshared chip
        with the same order and of the paper's method; `break_even_programs`, the share of a core at
        which sharing gains nothing, 0 where it gains at any; or the part's.
    value: with the numbers as they are.
    one_at_a_time: where one number moves over its band.
    together: where all move at random.
    most: field whose band moves it most; null where none does.
    """

    name: str
    value: float | None
    one_at_a_time: RangeRow
    together: RangeRow
    most: str | None


@dataclass(frozen=True)
class EndsRow:
    """A figure at both ends of a number's band.

    low: at the least number; null where unknown.
    high: at the largest.
    swing: largest less least of these and the figure itself, as a fraction of it; of
        `break_even_programs`, a share, the difference itself.
    """

    low: float | None
    high: float | None
    swing: float


@dataclass(frozen=True)
class AssumptionRow:
    """A number of the chip with a band.

    field: path of it.
    value: as the chip has it, in the unit that the field's name ends in.
    low: least value of its band.
    high: largest value of its band.
    effect: what was done again: cost, areas and static power of the same program; time, its
        durations and start times too; place, where its groups are as well. Never groups or the
        slot order, nor the sizes that the compiler chose.
    figures: by name.
    """

    field: str
    value: int
    low: int
    high: int
    effect: Literal["cost", "time", "place"]
    figures: dict[str, EndsRow]


@dataclass(frozen=True)
class BandsRow:
    """What the figures become where the chip's numbers are others.

    seed: of the draws.
    draws: of all numbers together, each uniform over its band.
    unfit: draws that the chip is too small for, which have no figures.
    figures: with their ranges.
    assumptions: by the largest swing of a figure, descending.
    left_out: fields with a band for which experts would have to be grouped anew.
    energy: of the asked method's energy its parts in nJ, by the names in `energy_nj`, the largest
        first.
    """

    seed: int
    draws: int
    unfit: int
    figures: tuple[FigureRow, ...]
    assumptions: tuple[AssumptionRow, ...]
    left_out: tuple[str, ...]
    energy: tuple[FigureRow, ...] = ()

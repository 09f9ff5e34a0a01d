"""The four methods every result is set beside (docs/model.md, section Methods)."""

from dataclasses import dataclass, replace

from compiler.options import GroupingOptions, Options, PlacementOptions, SlotOptions
from ir.chip import Chip
from ir.errors import InfeasibleError


@dataclass(frozen=True)
class Method:
    """A chip and the decisions made on it."""

    name: str
    chip: Chip
    options: Options


@dataclass(frozen=True, eq=False)
class Unfit:
    """A method that the chip is too small for, and what is short."""

    method: Method
    error: InfeasibleError


def unshared(chip: Chip) -> Chip:
    """The same chip with peripherals of its own for every crossbar (mux 1)."""
    kept = tuple(change for change in chip.changes if change.key != "pg.mux")
    alone = replace(chip.pg, mux=1)
    return replace(chip, name=f"{chip.name} unshared", pg=alone, changes=kept)


def methods(chip: Chip, options: Options) -> tuple[Method, ...]:
    """(i) unshared, one token at a time; (ii) unshared, compact; (iii) the paper's; (iv) ours.

    The baselines know nothing of replicas, objectives, limits of a slot or packing.
    """
    alone = unshared(chip)
    plain = replace(options, placement=PlacementOptions(options.placement.solver))
    apart = replace(plain, grouping=GroupingOptions("contiguous"))
    paper = replace(plain, grouping=GroupingOptions("sorted"), slots=SlotOptions("reschedule"))
    return (
        Method("unshared, serial", alone, replace(apart, slots=SlotOptions("token-serial"))),
        Method("unshared, compact", alone, replace(apart, slots=SlotOptions("compact"))),
        Method("paper's method", chip, paper),
        Method("moexbar", chip, options),
    )

"""The methods every result is set beside (docs/model.md, section Methods): groups x slot order."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

from compiler.options import GroupingOptions, Options, PlacementOptions, SlotOptions
from ir.chip import Chip
from ir.errors import InfeasibleError
from ir.stacks import NO_STACKS

Groups = Literal["unshared", "sorted", "ours"]
Order = Literal["serial", "paper's", "ours"]
Baselines = Literal["none", "paper", "all"]
GROUPS: tuple[Groups, ...] = get_args(Groups)
ORDERS: tuple[Order, ...] = get_args(Order)
BASELINES: tuple[Baselines, ...] = get_args(Baselines)
Pair = tuple[Groups, Order]
EVERY: tuple[Pair, ...] = tuple(product(GROUPS, ORDERS))
OURS: Pair = ("ours", "ours")
PAPER: Pair = ("sorted", "paper's")
PAPER_BASELINE: Pair = ("unshared", "serial")
UNSHARED_OURS: Pair = ("unshared", "ours")
SERIAL_OURS: Pair = ("ours", "serial")
MAIN: tuple[Pair, ...] = (PAPER_BASELINE, UNSHARED_OURS, PAPER, OURS)
ASKED: dict[Baselines, tuple[Pair, ...]] = {
    "none": (OURS,),
    "paper": (PAPER_BASELINE, PAPER, OURS),
    "all": EVERY,
}
ALONE = ("pg.mux", "pg.stack_limit")  # what a chip is without that shares nothing
NAMES: dict[Pair, str] = {PAPER: "paper's method", OURS: "moexbar"}


@dataclass(frozen=True)
class Method:
    """A chip and the decisions made on it: whose groups, and whose slot order."""

    groups: Groups
    order: Order
    chip: Chip
    options: Options

    @property
    def pair(self) -> Pair:
        """Groups and order."""
        return self.groups, self.order

    @property
    def name(self) -> str:
        """What reports call it: its groups, then its order."""
        return NAMES.get(self.pair, f"{self.groups}, {self.order}")


@dataclass(frozen=True, eq=False)
class Unfit:
    """A method that the chip is too small for, and what is short."""

    method: Method
    error: InfeasibleError


def unshared(chip: Chip) -> Chip:
    """The same chip with peripherals of its own for every crossbar (mux 1, no stacks)."""
    kept = tuple(change for change in chip.changes if change.key not in ALONE)
    alone = replace(chip.pg, mux=1, stack_limit=0)
    return replace(chip, name=f"{chip.name} unshared", pg=alone, changes=kept)


def methods(chip: Chip, options: Options, pairs: tuple[Pair, ...] = EVERY) -> tuple[Method, ...]:
    """Groups (unshared, the paper's, ours) with orders (token by token, the paper's, ours).

    The other groups know nothing of replicas, objectives, packing or stacks, the other orders
    nothing of limits of a slot. Dense blocks and digital experts are the same for all. `pairs`:
    which of them.
    """
    plain = replace(options.placement, pack=False, stacks=NO_STACKS)
    digital = options.grouping.digital
    on: dict[Groups, tuple[Chip, GroupingOptions, PlacementOptions]] = {
        "unshared": (unshared(chip), GroupingOptions("contiguous", digital=digital), plain),
        "sorted": (chip, GroupingOptions("sorted", digital=digital), plain),
        "ours": (chip, options.grouping, options.placement),
    }
    by: dict[Order, SlotOptions] = {
        "serial": SlotOptions("token-serial"),
        "paper's": SlotOptions("reschedule"),
        "ours": options.slots,
    }
    found = []
    for groups, order in pairs:
        where, grouping, placement = on[groups]
        decided = replace(options, grouping=grouping, placement=placement, slots=by[order])
        found.append(Method(groups, order, where, decided))
    return tuple(found)


def main_methods(chip: Chip, options: Options) -> tuple[Method, ...]:
    """(i) the paper's baseline; (ii) unshared, our order; (iii) the paper's method; (iv) ours."""
    return methods(chip, options, MAIN)

"""Stacks: peripheral groups are shared by those that are said to share them, and by no others."""

from itertools import pairwise

import numpy as np

from ir.arrays import Bools, Ints
from ir.members import members
from ir.stacks import Member
from ir.verify.check import Check, Fault, first
from ir.verify.tiles import MappingCase


def in_stack(case: MappingCase) -> Bools:
    """Whether a tile's fire group has a PG in common with another one: [tiles]."""
    if not np.any(case.tile_stacked):
        return case.tile_stacked
    number: dict[Member, int] = {}
    of_block = [number.setdefault(m, len(number)) for m in members(case.mapping)]
    fire = np.array(of_block, dtype=np.int64)[case.tile_block]
    found = np.zeros(len(number), dtype=np.bool_)
    found[fire[case.tile_stacked]] = True
    return found[fire]


def check_stacks(case: MappingCase) -> Fault | None:
    """Stacks are of fire groups of one region that begin at one PG; no others share a PG."""
    of_block, placement = members(case.mapping), case.mapping.placement
    first_pg: dict[Member, int] = {}
    for member, pg in zip(of_block, placement.pg_start.tolist(), strict=True):
        first_pg[member] = min(pg, first_pg.get(member, pg))
    region = {n: r.layer for r in placement.regions for n in r.layers}
    for n, stack in enumerate(case.mapping.stacks.stacks):
        for member in stack:
            if member not in first_pg:
                return Fault(f"stack {n}", f"holds {member}, expected a fire group of the mapping")
        if len({region[member.layer] for member in stack}) > 1:
            layers = sorted({member.layer for member in stack})
            return Fault(f"stack {n}", f"of layers {layers}, expected layers of one region")
        for one, other in pairwise(stack):
            if first_pg[one] != first_pg[other]:
                where = f"{one} at PG {first_pg[one]} and {other} at PG {first_pg[other]}"
                return Fault(f"stack {n}", f"holds {where}, expected both behind the same PGs")
    return _shared_unsaid(case, of_block)


def _shared_unsaid(case: MappingCase, of_block: list[Member]) -> Fault | None:
    """Two tiles on one PG whose fire groups no stack has both."""
    stacks = case.mapping.stacks.stacks
    number = {member: n for n, stack in enumerate(stacks) for member in stack}
    for member in of_block:  # by itself
        number.setdefault(member, len(number) + len(stacks))
    stack_of = np.array([number[member] for member in of_block], dtype=np.int64)[case.tile_block]
    other = _another(case.tile_pg, stack_of, case.mapping.placement.pgs)
    at = first(other >= 0)
    if at is None:
        return None
    one, two = case.tile_name(at), case.tile_name(int(other[at]))
    return Fault(f"{one} and {two}", f"share PG {case.tile_pg[at]} without being of one stack")


def _another(pg: Ints, stack: Ints, pgs: int) -> Ints:
    """Of each tile one on the same PG that is of another stack, -1 where there is none: [tiles]."""
    holder = np.full(pgs, -1, dtype=np.int64)
    holder[pg] = np.arange(len(pg))
    return np.where(stack[holder[pg]] != stack, holder[pg], -1)


STACK_CHECKS: tuple[Check[MappingCase], ...] = (
    Check("stacks", "peripheral groups are shared as the stacks say", check_stacks),
)

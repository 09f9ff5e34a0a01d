"""Which fire group a unit serves, and which units are the same circuits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints
from ir.mapping import Mapping
from ir.members import members
from ir.program import Unit
from ir.verify.matrices import FireGroup


@dataclass(frozen=True, eq=False)
class Sharing:
    """Units and fire groups of a program.

    unit_fire: fire group that each group, acc or link unit serves, -1 for others: [units]. circuit:
    a number for what each unit does its work on, of a stack's groups the same one, and of their
    accumulators, which are adders of the same PGs: [units]. in_stack: whether a fire group has PGs
    in common with another: [fire groups and none].
    """

    unit_fire: Ints
    circuit: Ints
    in_stack: Bools


def sharing(mapping: Mapping, groups: Sequence[FireGroup], units: Sequence[Unit]) -> Sharing:
    """Found from the PGs of the fire groups; a unit says by its numbers which one it serves."""
    blocks = zip(mapping.blocks, members(mapping), strict=True)
    number = {(b.operator, b.owner, b.stage): member.group for b, member in blocks}
    place = {
        (g.layer, g.stage, number[g.operator, g.owner, g.stage]): i for i, g in enumerate(groups)
    }
    served = ("group", "acc", "link")
    fires = [place.get((u.layer, u.stage, u.group), -1) if u.kind in served else -1 for u in units]
    unit_fire, stack = np.array(fires, dtype=np.int64), _stacks(groups)
    circuit = np.arange(len(units), dtype=np.int64)
    for kind, base in (("group", len(units)), ("acc", len(units) + len(groups))):
        mine = np.array([u.kind == kind for u in units], dtype=np.bool_) & (unit_fire >= 0)
        circuit[mine] = base + stack[unit_fire[mine]]
    several = np.bincount(stack, minlength=1)[stack] > 1
    return Sharing(unit_fire, circuit, np.append(several, False))


def _stacks(groups: Sequence[FireGroup]) -> Ints:
    """A number for each fire group, the same where they have PGs in common: [fire groups].

    One may be reached through another: PGs 0-1, 1-2 and 2-3 are of one stack.
    """
    out = np.zeros(len(groups), dtype=np.int64)
    end = stack = -1
    for i in sorted(range(len(groups)), key=lambda i: groups[i].first_pg):
        stack += groups[i].first_pg >= end
        end = max(end, groups[i].first_pg + groups[i].pgs)
        out[i] = stack
    return out

"""A program whose experts have replicas: what it must be, and what is found when it is not."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from ir.certificate import Certificate
from ir.compiled import Compiled
from ir.mapping import Grouping, LayerGrouping, RoutedOwner
from ir.program import Opcode
from tests.ir.verify.results import results
from tests.make import compile_small, small_chip, small_workload

TOKENS = 8
# 4 experts behind 3 PG groups of up to 2: expert 0 is in groups 0 and 1, expert 3 in 1 and 2.
GROUPS = ((0, 1), (0, 3), (2, 3))


@cache
def base() -> Compiled:
    """Every token uses experts 0 and 3 in layer 0, experts 0 and 1 in layer 1.

    Layer 0: 8 + 8 pairs on three groups, so ceil(16 / 3) = 6 slots; with one copy each it would be
    8. Layer 1: expert 1 fills group 0, and all of expert 0 goes to its copy in group 1: 8 slots.
    """
    unknown = Certificate("slots", 0, 0, "heuristic")
    grouping = Grouping(tuple(LayerGrouping(i, GROUPS, "by hand", unknown) for i in (0, 1)))
    chosen = {
        0: np.tile([True, False, False, True], (TOKENS, 1)),
        1: np.tile([True, True, False, False], (TOKENS, 1)),
    }
    return compile_small(
        small_workload(), small_chip(), tokens=TOKENS, chosen=chosen, grouping=grouping
    )


def test_all_checks_pass() -> None:
    assert set(results(base()).values()) == {"ok"}


def test_slots_are_the_closed_form() -> None:
    assert [layer.order.slots for layer in base().schedule.prefill.layers] == [6, 8]


def test_copies_take_crossbars_of_their_own() -> None:
    once = compile_small(small_workload(), small_chip(), tokens=TOKENS).program.inventory
    twice = base().program.inventory
    # 6 copies of 4 equal experts, behind 3 groups' PGs instead of 2
    assert twice.expert_crossbars * 4 == once.expert_crossbars * 6
    assert twice.expert_pgs * 2 == once.expert_pgs * 3


def test_both_copies_run_and_each_pair_on_one_of_them() -> None:
    p = base().program
    here = (p.opcode == Opcode.MVM) & (p.layer == 0) & (p.expert == 0) & (p.stage == 0)
    assert sorted(p.token[here]) == list(range(TOKENS))
    assert set(p.replica[here].tolist()) == {0, 1}


def other_weights_in_a_copy(c: Compiled) -> Compiled:
    one = next(b for b in c.mapping.blocks if (b.role, b.owner) == ("up", RoutedOwner(0, 1)))
    wrong = next(b for b in c.mapping.blocks if (b.role, b.owner) == ("up", RoutedOwner(2)))
    new = replace(one, weight=wrong.weight)
    blocks = tuple(new if b is one else b for b in c.mapping.blocks)
    return replace(c, mapping=replace(c.mapping, blocks=blocks))


def copy_of_another_number(c: Compiled) -> Compiled:
    one = next(b for b in c.mapping.blocks if (b.role, b.owner) == ("up", RoutedOwner(0, 1)))
    blocks = tuple(replace(b, owner=RoutedOwner(0, 2)) if b is one else b for b in c.mapping.blocks)
    return replace(c, mapping=replace(c.mapping, blocks=blocks))


def copies_change_places(c: Compiled) -> Compiled:
    copies = (RoutedOwner(0, 0), RoutedOwner(0, 1))
    at = [
        i
        for i, b in enumerate(c.mapping.blocks)
        if (b.role, b.layer) == ("up", 0) and b.owner in copies
    ]
    start = c.mapping.placement.pg_start.copy()
    start[at] = start[at[::-1]]
    return replace(
        c, mapping=replace(c.mapping, placement=replace(c.mapping.placement, pg_start=start))
    )


def pair_on_both_copies(c: Compiled) -> Compiled:
    first, second = c.schedule.prefill.layers
    at = int(np.flatnonzero(first.expert == 0)[0])
    extra: dict[str, Any] = {
        name: np.append(getattr(first, name), getattr(first, name)[at])
        for name in ("token", "expert", "replica", "slot", "group")
    }
    extra["group"][-1] = 1 - first.group[at]
    extra["replica"][-1] = 1 - first.replica[at]
    step = replace(c.schedule.prefill, layers=(replace(first, **extra), second))
    return replace(c, schedule=replace(c.schedule, steps=(step,)))


def first_stage_on_the_other_copy(c: Compiled) -> Compiled:
    p = c.program
    here = (p.opcode == Opcode.MVM) & (p.layer == 0) & (p.expert == 0) & (p.stage == 0)
    one, other = (int(np.flatnonzero(here & (p.replica == n))[0]) for n in (0, 1))
    unit = p.unit.copy()
    unit[one] = unit[other]
    return replace(c, program=replace(p, unit=unit))


def another_replica_named(c: Compiled) -> Compiled:
    p = c.program
    replica = p.replica.copy()
    at = np.flatnonzero((p.opcode == Opcode.STORE) & (p.expert == 0))[0]
    replica[at] = 1 - replica[at]
    return replace(c, program=replace(p, replica=replica))


def crossbars_of_the_copies_not_counted(c: Compiled) -> Compiled:
    less = c.program.inventory.expert_crossbars * 4 // 6
    inventory = replace(c.program.inventory, expert_crossbars=less)
    return replace(c, program=replace(c.program, inventory=inventory))


CORRUPTIONS: list[tuple[str, Callable[[Compiled], Compiled]]] = [
    ("blocks", other_weights_in_a_copy),
    ("blocks", copy_of_another_number),
    ("group-sharing", copies_change_places),
    ("schedule", pair_on_both_copies),
    ("expert-group", first_stage_on_the_other_copy),
    ("expert-group", another_replica_named),
    ("inventory", crossbars_of_the_copies_not_counted),
]


@pytest.mark.parametrize(
    ("check", "corrupt"), CORRUPTIONS, ids=[f"{n}-{f.__name__}" for n, f in CORRUPTIONS]
)
def test_corruption_is_caught(check: str, corrupt: Callable[[Compiled], Compiled]) -> None:
    result = results(corrupt(base()))[check]
    assert result != "ok"
    assert not result.startswith("not checked")

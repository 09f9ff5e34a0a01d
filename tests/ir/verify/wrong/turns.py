"""Schedules whose turns are not those of the routing, each once and in a slot of its own."""

from dataclasses import replace
from typing import Any

import numpy as np

from ir.compiled import Compiled
from ir.schedule import assign_experts
from tests.ir.verify.forms.rare import FORMS
from tests.ir.verify.wrong.edits import Corrupt, Tables, changed, in_step
from tests.ir.verify.wrong.programs import base, on_digital_units
from tests.make import compact_order


def routing_that_was_not_scheduled(c: Compiled) -> Compiled:
    chosen = {**c.chosen, 0: np.roll(c.chosen[0], 1, axis=1)}
    return replace(c, chosen=chosen)


def routing_of_a_layer_left_out(c: Compiled) -> Compiled:
    return replace(c, chosen={layer: c.chosen[layer] for layer in list(c.chosen)[:-1]})


def routing_of_an_expert_too_few(c: Compiled) -> Compiled:
    return replace(c, chosen={layer: chosen[:, :-1] for layer, chosen in c.chosen.items()})


def pairs(name: str, by: str) -> Corrupt:
    """An entry of the first layer's turns at or below an end of its range."""

    def corrupt(c: Compiled) -> Compiled:
        first, *others = c.schedule.steps[0].layers
        column = getattr(first, name)
        sizes = {
            "token": c.schedule.tokens,
            "expert": c.chosen[first.layer].shape[1],
            "group": len(c.mapping.grouping.of(first.layer).groups),
            "slot": first.order.slots,
        }
        new: dict[str, Any] = {name: changed(column, 0, sizes[name] if by == "above" else -1)}
        return in_step(c, 0, layers=(replace(first, **new), *others))

    corrupt.__name__ = f"{name}_of_a_turn_{by}_its_range"
    return corrupt


def from_the_end(name: str) -> Corrupt:
    """A turn in the last group, or slot, says -1, which would stand for it in an array."""

    def corrupt(c: Compiled) -> Compiled:
        first, *others = c.schedule.steps[0].layers
        column = getattr(first, name)
        new: dict[str, Any] = {name: changed(column, np.argmax(column), -1)}
        return in_step(c, 0, layers=(replace(first, **new), *others))

    corrupt.__name__ = f"last_{name}_counted_from_the_end"
    return corrupt


def one_short(name: str) -> Corrupt:
    """A column of the first layer's turns has an entry fewer than the others."""

    def corrupt(c: Compiled) -> Compiled:
        first, *others = c.schedule.steps[0].layers
        new: dict[str, Any] = {name: getattr(first, name)[:-1]}
        return in_step(c, 0, layers=(replace(first, **new), *others))

    corrupt.__name__ = f"{name}_of_the_turns_one_short"
    return corrupt


def replica_of_a_turn(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    return in_step(c, 0, layers=(replace(first, replica=first.replica + 1), *others))


def turn_twice(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    columns: dict[str, Any] = {
        name: np.append(getattr(first, name), getattr(first, name)[0])
        for name in ("token", "expert", "replica", "group", "slot")
    }
    return in_step(c, 0, layers=(replace(first, **columns), *others))


def layer_of_turns_left_out(c: Compiled) -> Compiled:
    return in_step(c, 0, layers=c.schedule.steps[0].layers[:-1])


def table_of_turns_elsewhere(c: Compiled) -> Compiled:
    """The slot table has the tokens of a group one slot later than its turns say."""
    first, *others = c.schedule.steps[0].layers
    table = np.roll(first.order.table, 1, axis=0)
    order = replace(first, order=replace(first.order, table=table))
    return in_step(c, 0, layers=(order, *others))


def turn_in_a_group_without_its_expert(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    group = changed(first.group, 0, 1 - first.group[0])
    return in_step(c, 0, layers=(replace(first, group=group), *others))


def two_turns_in_a_slot(c: Compiled) -> Compiled:
    """A group's second turn is in the slot of its first one, and the table says so too."""
    first, *others = c.schedule.steps[0].layers
    one, two = np.flatnonzero(first.group == first.group[0])[:2]
    slot = changed(first.slot, two, first.slot[one])
    table = np.full_like(first.order.table, -1)
    table[slot, first.group] = first.token
    order = replace(first, slot=slot, order=replace(first.order, table=table))
    return in_step(c, 0, layers=(order, *others))


def pair_of_a_digital_expert_left_out(c: Compiled) -> Compiled:
    first, *others = c.schedule.steps[0].layers
    return in_step(c, 0, layers=(replace(first, digital=first.digital[1:]), *others))


def passed_on_not_said(c: Compiled) -> Compiled:
    return replace(c, passed={})


def passed_on_by_a_token_too_few(c: Compiled) -> Compiled:
    return replace(c, passed={layer: passed[:-1] for layer, passed in c.passed.items()})


def pair_of_the_other_side(c: Compiled) -> Compiled:
    """A decoder's expert for token 4, where its sequences have three tokens."""
    layer = max(c.chosen)
    return replace(c, chosen={**c.chosen, layer: changed(c.chosen[layer], (4, 0), True)})


def pair_of_the_other_side_in_turn(c: Compiled) -> Compiled:
    """The same with a turn of its own."""
    wrong = pair_of_the_other_side(c)
    layer = max(c.chosen)
    grouping, chosen = c.mapping.grouping.of(layer), wrong.chosen[layer]
    turns = assign_experts(compact_order(grouping, chosen), grouping, chosen)
    orders = tuple(turns if o.layer == layer else o for o in c.schedule.steps[0].layers)
    return in_step(wrong, 0, layers=orders)


TABLES: Tables = [
    (
        base,
        [
            ("schedule", routing_that_was_not_scheduled),
            ("schedule", routing_of_a_layer_left_out),
            ("schedule", routing_of_an_expert_too_few),
            *(
                ("schedule", pairs(name, end))
                for name in ("token", "expert", "group", "slot")
                for end in ("above", "below")
            ),
            *(("schedule", from_the_end(name)) for name in ("group", "slot")),
            *(("schedule", one_short(name)) for name in ("expert", "group", "slot")),
            ("schedule", replica_of_a_turn),
            ("schedule", turn_twice),
            ("schedule", layer_of_turns_left_out),
            ("schedule", table_of_turns_elsewhere),
            ("schedule", turn_in_a_group_without_its_expert),
            ("schedule", two_turns_in_a_slot),
        ],
    ),
    (on_digital_units, [("schedule", pair_of_a_digital_expert_left_out)]),
    (
        FORMS["tokens that pass themselves on"],
        [
            ("schedule", passed_on_not_said),
            ("schedule", passed_on_by_a_token_too_few),
        ],
    ),
    (
        FORMS["an encoder longer than its decoder"],
        [
            ("schedule", pair_of_the_other_side),
            ("schedule", pair_of_the_other_side_in_turn),
        ],
    ),
]

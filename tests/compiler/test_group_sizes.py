"""Layers may have groups of other sizes; one chip's peripheral groups hold the largest."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.options import GroupingOptions, Options, Shape, SlotOptions
from compiler.pipeline import map_model
from ir.errors import InfeasibleError, InputError
from ir.mapping import Mapping
from ir.routing import Routing
from tests.make import SMALL_CHIP, random_routing, small_workload

TOKENS = 12
WORKLOAD = small_workload(layers=2, experts=4, k=2)  # MoE layers 0 and 1
MUX4 = replace(SMALL_CHIP, pg=replace(SMALL_CHIP.pg, mux=4))


def mapped(grouping: GroupingOptions, stack_limit: int = 0) -> Mapping:
    sequence = np.repeat(np.arange(2), TOKENS)
    chosen = random_routing(WORKLOAD, sequence)
    ids = np.stack([np.nonzero(chosen[n])[1].reshape(-1, 2) for n in (0, 1)]).astype(np.int16)
    routing = Routing(np.array([0, 1]), np.array([4, 4]), sequence, ids)
    chip = replace(MUX4, pg=replace(MUX4.pg, stack_limit=stack_limit))
    spans = (0, TOKENS), (TOKENS, 2 * TOKENS)
    options = Options(Shape(TOKENS), *spans, grouping, slots=SlotOptions("compact"))
    return map_model(WORKLOAD, routing, chip, options)


def groups_of(found: Mapping) -> list[int]:
    return [len(layer.groups) for layer in found.grouping.layers]


def test_every_layer_has_the_groups_of_its_size() -> None:
    """4 experts: in groups of 4, the chip's mux, one; of 2 two; of 1 four."""
    assert groups_of(mapped(GroupingOptions("sorted"))) == [1, 1]
    assert groups_of(mapped(GroupingOptions("sorted", size=2, sizes=((1, 1),)))) == [2, 4]
    assert groups_of(mapped(GroupingOptions("sorted", sizes=((0, 2),)))) == [2, 1]


def test_fewer_experts_in_a_group_take_more_peripheral_groups() -> None:
    """An expert of two stages has its tiles once; groups of one have them for each of 4 experts."""
    one, four = (mapped(GroupingOptions("sorted", size=n)) for n in (4, 1))
    experts = [int((found.placement.pg_class == 0).sum()) for found in (one, four)]
    assert experts[1] == 4 * experts[0]


def test_groups_hold_what_stands_behind_a_peripheral_group() -> None:
    """5 of a mux of 4 are refused, unless a stack may have as many."""
    five = GroupingOptions("sorted", sizes=((1, 5),))
    with pytest.raises(InfeasibleError, match="groups of 5 in layer 1, has mux 4"):
        mapped(five)
    assert groups_of(mapped(five, stack_limit=5)) == [1, 1]


def test_sizes_are_of_layers_that_hold_experts() -> None:
    with pytest.raises(InputError, match=r"layer 7, expected one that holds experts \[0, 1\]"):
        mapped(GroupingOptions("sorted", sizes=((7, 2),)))
    with pytest.raises(InputError, match="layer 1: 2, expected each once"):
        GroupingOptions(sizes=((1, 2), (1, 3)))

"""Correct programs of many shapes pass every check, on many chips."""

from typing import Any

import numpy as np
import pytest

from ir.schedule import Caches
from ir.selection import Capacity
from ir.verify import (
    CHECKS,
    MAPPING_CHECKS,
    PROGRAM_CHECKS,
    check_mapping,
    check_program,
    verify_mapping,
    verify_program,
)
from moexbar.chips.loader import load_chip, preset_names
from tests.make import compile_small, small_chip, small_workload

TWO_SEQUENCES = np.array([0, 0, 0, 1, 1, 1, 1])
TO_ONE_PAIR = {layer: np.tile([True, True, False, False], (6, 1)) for layer in (0, 1)}
TO_NOBODY = {layer: np.zeros((6, 4), dtype=np.bool_) for layer in (0, 1)}

# name: (workload, chip, window). The small chip: 8x8 crossbars of 4-bit cells, so 4 weights of 8
# bits in a row; d 20 makes 3 row tiles (8 + 8 + 4) and 5 column tiles, f 12 makes 2 and 3.
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "default": ({}, {}, {}),
    "mux 1": ({"experts": 6, "k": 3}, {"pg": {"mux": 1}}, {}),
    "mux 3, last group of 2": ({"experts": 5, "k": 3}, {"pg": {"mux": 3}}, {}),
    "mux 4, all in one group": ({}, {"pg": {"mux": 4}}, {}),
    "ragged edges": ({"d": 10, "f": 17}, {}, {}),
    "ragged edges packed": ({"d": 10, "f": 17}, {"pg": {"mux": 4}}, {"pack": True}),
    "4-bit weights packed": ({"d": 10, "f": 17, "bits": 4}, {"pg": {"mux": 4}}, {"pack": True}),
    "one tile per matrix": ({"d": 4, "f": 4}, {}, {}),
    "4-bit weights, one cell each": ({"bits": 4}, {}, {}),
    "differential pairs": ({}, {"crossbar": {"differential": True}}, {}),
    "sums on digital units": ({}, {"accumulate": {"where": "dpu"}}, {}),
    "bias without row tiles": ({"bias": True, "d": 8, "f": 4}, {}, {}),
    "sums in a tree": (
        {"bias": True, "shared": 1},
        {"accumulate": {"order": "tree", "add_ps": 500, "add_fj": 7}},
        {},
    ),
    "bias on digital units": ({"bias": True}, {"accumulate": {"where": "dpu"}}, {}),
    "not gated": ({"gated": False, "shared": 1}, {}, {}),
    "input not retained": ({"k": 3}, {"pg": {"retain_input": False}}, {}),
    "input retained": ({"k": 3}, {}, {"tokens": 12}),
    "one input buffer": ({}, {"pg": {"input_buffers": 1}}, {}),
    "three input buffers": ({}, {"pg": {"input_buffers": 3}}, {"tokens": 12}),
    "unlimited bus": ({}, {"bus": {"transfers_per_slot": None}}, {}),
    "bus of fixed width": ({}, {"bus": {"transfers_per_slot": None, "bits_per_ns": 16}}, {}),
    "bus with latency": ({}, {"bus": {"latency_ps": 777, "return_lanes": 1}}, {}),
    "expert choice": ({"expert_choice": True}, {}, {}),
    "expert choice, two sequences": ({"expert_choice": True}, {}, {"sequence": TWO_SEQUENCES}),
    "two shared experts": ({"shared": 2}, {}, {"sequence": TWO_SEQUENCES}),
    "a wider shared expert": ({"shared": 1, "shared_f": 20}, {}, {}),
    "a gated shared expert beside a plain one": (
        {"shared": 2, "shared_gates": (False, True)},
        {},
        {"sequence": TWO_SEQUENCES},
    ),
    "a gated shared expert, router on crossbars": (
        {"shared": 1, "shared_gates": (True,)},
        {"digital": {"router_on": "crossbar"}},
        {},
    ),
    "two copies of dense blocks": ({"shared": 1}, {}, {"sequence": TWO_SEQUENCES, "copies": 2}),
    "three copies, router on crossbars, one head": (
        {"shared": 2, "newest": True},
        {"digital": {"router_on": "crossbar"}},
        {"decode": 2, "copies": 3},
    ),
    "two copies, sums on digital units, expert choice": (
        {"shared": 1, "expert_choice": True, "bias": True},
        {"accumulate": {"where": "dpu"}},
        {"decode": 2, "copies": 2, "caches": Caches(kv=False)},
    ),
    "scaled sum": ({"scale": 2.5, "shared": 1}, {}, {}),
    "gates on the experts' input": ({"weight_on": "input", "shared": 1}, {}, {"decode": 1}),
    "gates on the input, not gated": ({"weight_on": "input", "gated": False}, {}, {}),
    "experts ahead of the router, gates on the input": (
        {"weight_on": "input"},
        {"digital": {"experts_wait_for_router": False}},
        {},
    ),
    "unlike widths": ({"widths": (5, 12)}, {}, {"tokens": 9}),
    "unlike widths, wide first": ({"widths": (12, 5), "gated": False}, {}, {}),
    "unlike widths, three to a group": (
        {"widths": (5, 17, 3), "experts": 7, "k": 3},
        {"pg": {"mux": 3}},
        {"sequence": TWO_SEQUENCES, "decode": 2},
    ),
    "unlike widths, packed": (
        {"widths": (5, 17), "d": 10, "bits": 4, "bias": True},
        {"pg": {"mux": 4}},
        {"pack": True},
    ),
    "unlike widths, sums on digital units": (
        {"widths": (5, 12), "weight_on": "input"},
        {"accumulate": {"where": "dpu"}},
        {},
    ),
    "unlike widths in lockstep": ({"widths": (5, 12), "k": 3}, {}, {"lockstep": True}),
    "unlike widths, expert choice": ({"widths": (5, 12), "expert_choice": True}, {}, {"decode": 2}),
    "k = E": ({"k": 4}, {}, {}),
    "one expert": ({"experts": 1, "k": 1}, {}, {}),
    "all tokens to one group": ({}, {}, {"chosen": TO_ONE_PAIR}),
    "no token routed": ({}, {}, {"chosen": TO_NOBODY}),
    "one token": ({}, {}, {"tokens": 1}),
    "two sequences, masks": ({"masks": True}, {}, {"sequence": TWO_SEQUENCES}),
    "a dense layer": ({"dense_layers": (0,)}, {}, {}),
    "no MoE layer": ({"dense_layers": (0, 1)}, {}, {}),
    "lockstep": ({"k": 3}, {}, {"lockstep": True}),
    "lockstep, not retained": ({"k": 3}, {"pg": {"retain_input": False}}, {"lockstep": True}),
    "experts ahead of the router": ({}, {"digital": {"experts_wait_for_router": False}}, {}),
    "eight digital units": ({"k": 3}, {"digital": {"dpus": 8}}, {"tokens": 20}),
    "polynomial attention": ({}, {"digital": {"attention": "polynomial"}}, {}),
    "mux switch settles": ({}, {"pg": {"mux_settle_ps": 500}}, {}),
    "ports of crossbars": ({"shared": 1}, {"mvm": {"port_fj": 77}}, {"tokens": 3}),
    "flat distances": (
        {"shared": 1},
        {"mesh": {"distance": "flat"}, "bus": {"transfers_per_slot": None, "latency_ps": 12}},
        {"decode": 1},
    ),
    "the reference's digital units": (
        {"k": 3, "shared": 1, "shared_gates": (True,)},
        {"digital": {"accounting": "reference", "router_on": "crossbar"}},
        {"decode": 2},
    ),
    "the reference selects tokens": (
        {"expert_choice": True},
        {"digital": {"accounting": "reference"}},
        {"decode": 2},
    ),
    "an embedding on crossbars": ({"embedded": True}, {}, {"sequence": TWO_SEQUENCES, "decode": 2}),
    "router on crossbars": ({"shared": 1}, {"digital": {"router_on": "crossbar"}}, {}),
    "mesh of fixed size": ({}, {"mesh": {"width": 4, "height": 60}}, {}),
    "digital units of each region": ({"k": 3}, {"digital": {"pgs_per_dpu": 16}}, {"tokens": 9}),
    "three steps": ({}, {}, {"decode": 3}),
    "three steps of two sequences": ({"shared": 1}, {}, {"sequence": TWO_SEQUENCES, "decode": 2}),
    "decode in lockstep": ({"k": 3}, {}, {"decode": 2, "lockstep": True}),
    "a head for the newest token": ({"newest": True}, {}, {"decode": 2}),
}
FIXED = Capacity(constant=2)


@pytest.mark.parametrize("kv", [True, False], ids=["kv", "no kv"])
@pytest.mark.parametrize("go", [True, False], ids=["go", "no go"])
@pytest.mark.parametrize("capacity", [None, FIXED], ids=["growing", "fixed"])
@pytest.mark.parametrize("router_on", ["digital", "crossbar"])
@pytest.mark.parametrize("accounting", ["full", "reference"])
def test_every_cache_mode_passes_every_check(
    kv: bool, go: bool, capacity: Capacity | None, router_on: str, accounting: str
) -> None:
    workload = small_workload(expert_choice=True, capacity=capacity, shared=1, masks=True)
    chip = small_chip(digital={"router_on": router_on}, memory={"accounting": accounting})
    caches = Caches(kv=kv, go=go)
    c = compile_small(workload, chip, sequence=TWO_SEQUENCES, decode=2, caches=caches)
    found = check_program(c)
    assert [(check, what) for check, what in found if what != "ok"] == []


@pytest.mark.parametrize("name", SHAPES)
def test_correct_program_passes_every_check(name: str) -> None:
    workload, chip, window = SHAPES[name]
    c = compile_small(small_workload(**workload), small_chip(**chip), **window)
    found = check_mapping(c.mapping, c.workload, c.chip)
    found += check_program(c)
    assert [(check, what) for check, what in found if what != "ok"] == []
    assert [check for check, _ in found] == [check.name for check in CHECKS]


@pytest.mark.parametrize("name", preset_names())
def test_correct_program_passes_every_check_on_every_preset(name: str) -> None:
    c = compile_small(small_workload(experts=6, k=3, shared=1), load_chip(name))
    found = check_mapping(c.mapping, c.workload, c.chip)
    found += check_program(c)
    assert [(check, what) for check, what in found if what != "ok"] == []


def test_verify_raises_nothing_on_a_correct_program() -> None:
    c = compile_small(small_workload(), small_chip(pg={"retain_input": False}))
    verify_mapping(c.mapping, c.workload, c.chip)
    verify_program(c)


def test_what_later_checks_rely_on() -> None:
    """The gates: the tables are there and point into each other."""
    assert {check.name for check in MAPPING_CHECKS if check.gate} == {
        *("blocks", "groups", "pg-table", "mesh", "regions"),
    }
    assert {check.name for check in PROGRAM_CHECKS if check.gate} == {
        *("columns", "units", "labels", "links", "schedule"),
    }


def test_checks_have_distinct_names_and_meanings() -> None:
    assert (*MAPPING_CHECKS, *PROGRAM_CHECKS) == CHECKS
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert len({check.meaning for check in CHECKS}) == len(CHECKS)

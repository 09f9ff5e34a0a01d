"""Values that no model, chip or trace has: their types refuse them, and say what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ir.arrivals import Arrivals, Delays, presence_of
from ir.chip import Chip
from ir.cores import core_um, core_um2
from ir.errors import InputError
from ir.expert import Expert, Weight
from ir.load import Load
from ir.mapping import Grouping
from ir.routing import Routing, token_spans, windows
from ir.stacks import Member, Stacking
from ir.workload import MoELayer
from tests.make import SMALL_CHIP, compile_small, small_chip, small_workload


def noise(**changes: Any) -> Chip:
    return replace(SMALL_CHIP, noise=replace(SMALL_CHIP.noise, **changes))


def layer(**changes: Any) -> MoELayer:
    return replace(small_workload().moe_layers[0], **changes)


def routing(**changes: Any) -> Routing:
    """Two layers of four experts, three tokens of a sequence, two experts each."""
    choices = np.tile(np.array([0, 1], dtype=np.int16), (2, 3, 1))
    known: dict[str, Any] = {
        "layer": np.arange(2),
        "num_experts": np.full(2, 4),
        "sequence": np.zeros(3, dtype=np.int64),
        "choices": choices,
    }
    return Routing(**(known | changes))


WIDE = Weight("wide", 20, 24)
EXPERT = layer().experts[0]
REFUSED: dict[str, Callable[[], object]] = {
    "arrivals: 2 dimensions, expected 1": lambda: Arrivals(np.zeros((2, 2), dtype=np.int64)),
    "arrivals: token 1: slot -3, expected 0 or more": lambda: Arrivals(np.array([0, -3])),
    "arrivals: values of type float64, expected integers": lambda: presence_of([0.5, 1.0], 2),
    "arrivals: 3 tokens, expected 2 as in counts": lambda: presence_of([0, 1, 2], 2),
    "mesh: 4 x 0 cores, expected both or no auto": lambda: small_chip(
        mesh={"width": 4, "height": 0}
    ),
    "memory.kv: buffers, but memory.accounting reference": lambda: small_chip(
        memory={"kv": "buffers", "accounting": "reference"}
    ),
    "crossbar.columns: 1 cells hold no weight of 2 cells": lambda: small_chip(
        crossbar={"columns": 1}
    ),
    "noise.read_percent: -1, expected 0 to": lambda: noise(read_percent=-1),
    "noise.drift_t0_s: 0, expected more than 0": lambda: noise(drift_t0_s=0),
    "w: a weight of 0 x 3, expected at least 1 x 1": lambda: Weight("w", 0, 3),
    "w: a rounded binary weight, expected a ternary one": lambda: Weight("w", 1, 1, rounded=True),
    "wide: an expert of a gate and no down matrix": lambda: Expert(WIDE, None, WIDE),
    "counts: shape (2, 3), expected steps, 1 layers": lambda: Load(
        np.zeros(1, dtype=np.int64), np.zeros((2, 3), dtype=np.int64)
    ),
    "layer: an id twice, expected each layer once": lambda: Load(
        np.zeros(2, dtype=np.int64), np.zeros((1, 2, 3), dtype=np.int64)
    ),
    "no layer 7, the counts have layers 0": lambda: Load(
        np.zeros(1, dtype=np.int64), np.zeros((1, 1, 3), dtype=np.int64)
    ).of(7),
    "router outputs (0,) pass the token on, but its idle": lambda: layer(passing=(0,)),
    "experts of 2 different shapes, expected one": lambda: layer(
        experts=(*layer().experts[:-1], Expert(WIDE, None))
    ),
    "3 experts, but the router has 4 outputs": lambda: layer(experts=(EXPERT,) * 3),
    "shared experts of another shape than the routed": lambda: layer(shared=(Expert(WIDE, None),)),
    "outputs apart, expected experts of one matrix": lambda: layer(apart="outputs"),
    "idle outputs before and after the experts', kind": lambda: replace(
        layer().router, idle=(-1, 0)
    ),
    "expected exactly one of 'choices' and 'scores'": lambda: routing(choices=None),
    "domain: shape (2,), expected (3,), as sequence": lambda: routing(domain=np.zeros(2)),
    "passed: shape (3, 2), expected (2, 3)": lambda: routing(passed=np.zeros((3, 2), np.bool_)),
    "choices: shape (2, 3), expected (2, 3) + (k,)": lambda: routing(
        choices=np.zeros((2, 3), dtype=np.int16)
    ),
    "window: 0 tokens, expected at least 1": lambda: windows(10, 0),
    "fit=(0.7, 0.2): expected 0 <= low < high <= 1": lambda: token_spans(routing(), (0.7, 0.2)),
    "fit=(0, 0.1): holds none of the 3 tokens": lambda: token_spans(routing(), (0.0, 0.1)),
    "grouping: no layer 3, expected one of its MoE layers": lambda: Grouping(()).of(3),
    "stack 0: holds": lambda: Stacking(((Member(0, 0, 0), Member(5, 0, 0)),)).hosts((0, 1)),
    "step 0: no MoE layer 9": lambda: compile_small().schedule.steps[0].of(9),
    "placement: no region for layer 9": lambda: compile_small().mapping.placement.region(9),
    "no region for layer 0 on die 3": lambda: compile_small().mapping.placement.region(0, 3),
    "program: column seq: 1 rows, not": lambda: replace(
        compile_small().program, seq=np.zeros(1, dtype=np.int32)
    ),
}


@pytest.mark.parametrize("says", REFUSED)
def test_refused(says: str) -> None:
    with pytest.raises(InputError) as found:
        REFUSED[says]()
    assert says in str(found.value)


def test_the_least_that_is_not_refused() -> None:
    assert presence_of([0, 0, 0], 3) == presence_of(None, 3)
    assert noise(read_percent=0, drift_t0_s=1e-9).noise.read_percent == 0
    assert windows(10, 4, 3) == [(0, 4), (3, 7), (6, 10)]
    assert token_spans(routing(), (0.0, 0.5), (0.5, 1.0)) == ((0, 1), (1, 3))


def test_noise_at_four_conductances() -> None:
    """In fractions; what is not said of one is as at the largest, and nothing of none."""
    known = noise(write_percent=4.0, write_zero_percent=1.0, write_third_percent=2.0).noise
    assert known.programming == (0.01, 0.02, 0.04, 0.04)
    assert SMALL_CHIP.noise.programming is None


def test_delays_of_an_order_in_which_nothing_runs() -> None:
    nothing = Delays.of(np.full((3, 2), -1), Arrivals(np.array([0, 1])))
    assert nothing == Delays(0.0, 0, 0.0)


def test_a_core_of_unknown_area() -> None:
    unknown = small_chip(crossbar={"array_um2": None})
    assert (core_um2(unknown), core_um(unknown)) == (None, None)
    assert core_um(small_chip()) is not None

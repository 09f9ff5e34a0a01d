"""Options of a compilation reach the stage they are for; every program has passed its checks."""

import numpy as np
import pytest

from compiler.baselines import methods
from compiler.grouping import Calibration, joined
from compiler.options import POLICIES, PlacementOptions, Shape
from compiler.pipeline import compile_model
from compiler.slots import LIMITED
from compiler.slots.limits import Limits, check_limits
from ir.compiled import Compiled
from ir.errors import InputError
from ir.routing import Routing
from tests.make import SMALL_CHIP, options_of, random_routing, small_workload

TOKENS = 12
WORKLOAD = small_workload(layers=1, experts=4, k=2)


def routing() -> Routing:
    """Two sequences of a window each: one to fit to, one to compile."""
    sequence = np.repeat(np.arange(2), TOKENS)
    chosen = random_routing(WORKLOAD, sequence)[0]
    choices = np.nonzero(chosen)[1].reshape(1, 2 * TOKENS, 2).astype(np.int16)
    return Routing(np.array([0]), np.array([4]), sequence, choices)


def compiled(scheduling: str, bus: int | None = None, buffer: int | None = None) -> Compiled:
    spans = ((0, TOKENS), (TOKENS, 2 * TOKENS))
    options = options_of(
        Shape(TOKENS), *spans, grouping="lpt", scheduling=scheduling, bus=bus, buffer=buffer
    )
    return compile_model(WORKLOAD, routing(), SMALL_CHIP, options)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_compiles(policy: str) -> None:
    done = compiled(policy)
    (layer,) = done.schedule.prefill.layers
    assert layer.order.policy == policy


@pytest.mark.parametrize("policy", LIMITED)
@pytest.mark.parametrize(("bus", "buffer"), [(1, None), (2, 2), (None, 1)])
def test_limits_are_kept(policy: str, bus: int | None, buffer: int | None) -> None:
    done = compiled(policy, bus, buffer)
    (layer,) = done.schedule.prefill.layers
    assert check_limits(layer.order.table, Limits(bus, buffer)) is None
    # 12 tokens of two experts in two groups take 12 slots at least if only one may run or wait
    if bus == 1 or buffer == 1:
        assert layer.order.slots >= TOKENS


def test_a_policy_without_limits_refuses_them() -> None:
    with pytest.raises(InputError, match="compact keeps no limit on bus or buffer"):
        compiled("compact", bus=2)


def test_the_methods_beside_ours_have_none_of_its_options() -> None:
    options = options_of(Shape(TOKENS), (0, 1), (1, 2), groups=3, replicas=1, bus=2, buffer=16)
    every = methods(SMALL_CHIP, options)
    assert every[-1].options == options
    others = [m.options for m in every if m.groups != "ours"]
    assert {(o.grouping.groups, o.grouping.replicas) for o in others} == {(None, 0)}
    others = [m.options for m in every if m.order != "ours"]
    assert {(o.slots.bus, o.slots.buffer) for o in others} == {(None, None)}


def test_every_method_has_the_same_dense_blocks() -> None:
    options = options_of(Shape(TOKENS), (0, 1), (1, 2), dense_copies=2, pack=True)
    every = [m.options.placement for m in methods(SMALL_CHIP, options)]
    assert {placed.dense_copies for placed in every} == {2}
    assert [placed.pack for placed in every] == [False] * 6 + [True] * 3


def test_no_copy_of_a_dense_block_is_refused() -> None:
    with pytest.raises(InputError, match="dense copies: 0, expected at least 1"):
        PlacementOptions(dense_copies=0)


def test_experts_of_two_layers_are_grouped_by_the_routing_of_both() -> None:
    """In pairs of four: the first layer's tokens want 0 and 1 apart, the second's 0 and 2.

    Each layer alone has two ways to that, both together one: {0, 3} and {1, 2}.
    """
    work = small_workload(layers=2, experts=4, k=2, tied=True)
    choices = np.array([[(0, 1)] * 2 * TOKENS, [(0, 2)] * 2 * TOKENS], dtype=np.int16)
    trace = Routing(np.arange(2), np.array([4, 4]), np.repeat(np.arange(2), TOKENS), choices)
    spans = ((0, TOKENS), (TOKENS, 2 * TOKENS))
    done = compile_model(
        work, trace, SMALL_CHIP, options_of(Shape(TOKENS), *spans, grouping="cp-sat")
    )
    (layer,) = done.mapping.grouping.layers
    assert sorted(layer.groups) == [(0, 3), (1, 2)]
    assert layer.certificate.value == layer.certificate.bound
    orders = done.schedule.prefill.layers
    assert [(o.layer, o.order.slots) for o in orders] == [(0, TOKENS), (1, TOKENS)]


def test_no_window_spans_two_layers() -> None:
    """Windows [start, stop) of the second matrix come after the first one's rows."""
    one = Calibration(np.zeros((4, 2), dtype=np.bool_), [(0, 3), (1, 4)])
    two = Calibration(np.ones((5, 2), dtype=np.bool_), [(0, 3), (2, 5)])
    both = joined([one, two])
    assert both.windows == [(0, 3), (1, 4), (4, 7), (6, 9)]
    assert [bool(both.chosen[a:b].all()) for a, b in both.windows] == [False, False, True, True]


def test_the_methods_are_all_groups_with_all_orders() -> None:
    every = methods(SMALL_CHIP, options_of(Shape(TOKENS), (0, 1), (1, 2)))
    assert [(m.name, m.chip.pg.mux) for m in every] == [
        ("unshared, serial", 1),
        ("unshared, paper's", 1),
        ("unshared, ours", 1),
        ("sorted, serial", SMALL_CHIP.pg.mux),
        ("paper's method", SMALL_CHIP.pg.mux),
        ("sorted, ours", SMALL_CHIP.pg.mux),
        ("ours, serial", SMALL_CHIP.pg.mux),
        ("ours, paper's", SMALL_CHIP.pg.mux),
        ("moexbar", SMALL_CHIP.pg.mux),
    ]
    decided = [(m.options.grouping.solver, m.options.slots.policy) for m in every[::4]]
    ours = every[-1].options
    assert decided == [
        ("contiguous", "token-serial"),
        ("sorted", "reschedule"),
        (ours.grouping.solver, ours.slots.policy),
    ]

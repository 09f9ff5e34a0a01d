"""Which slot orders are tried for a program, and which one is kept.

Small programs: two layers of four experts in two groups, every token to two of them; times of
choices are given, not measured.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.options import SCHEDULINGS, Options, Scheduling, Shape
from compiler.ordering import BY_TRANSFERS, GAIN, LIMITED, choose_order, policies_for
from compiler.pipeline import compile_model
from compiler.slots.limits import Limits, check_limits
from ir.chip import Chip
from ir.compiled import Compiled, OrderTry
from ir.errors import InputError
from ir.routing import Routing
from ir.schedule import Schedule
from ir.workload import Workload
from tests.compiler.emit.test_streams import streaming
from tests.make import compile_small, options_of, random_routing, small_chip, small_workload

TOKENS = 12
WORKLOAD = streaming(small_workload())
REFERENCE = small_chip(digital={"accounting": "reference"}, memory={"accounting": "reference"})


def asked(scheduling: str = "auto", prefill: int = TOKENS, **words: Any) -> Options:
    return options_of(
        Shape(prefill), (0, TOKENS), (0, TOKENS), grouping="lpt", scheduling=scheduling, **words
    )


def compiled(workload: Workload = WORKLOAD, chip: Chip | None = None, **words: Any) -> Compiled:
    chosen = random_routing(workload, np.zeros(TOKENS, dtype=np.int64))
    choices = np.stack([np.nonzero(chosen[layer])[1].reshape(TOKENS, 2) for layer in (0, 1)])
    layers, sequence = np.arange(2), np.zeros(TOKENS, dtype=np.int64)
    routing = Routing(layers, np.array([4, 4]), sequence, choices.astype(np.int16))
    return compile_model(workload, routing, chip or small_chip(), asked(**words))


# -- which are tried ---------------------------------------------------------------------------


def test_orders_of_tokens_that_stream() -> None:
    """Those of the fewest broadcasts first, the paper's, and token by token."""
    found = policies_for(WORKLOAD, asked(), small_chip())
    assert found == BY_TRANSFERS == ("min-transfer", "arriving", "reschedule", "token-order")


@pytest.mark.parametrize("limit", [{"bus": 2}, {"buffer": 3}, {"bus": 1, "buffer": 1}])
def test_orders_within_limits(limit: dict[str, Any]) -> None:
    """The paper's order keeps none, and is not tried where there are any."""
    found = policies_for(WORKLOAD, asked(**limit), small_chip())
    assert found == LIMITED == tuple(p for p in BY_TRANSFERS if p != "reschedule")


@pytest.mark.parametrize(
    "workload",
    [small_workload(), streaming(small_workload(), causal=False)],
    ids=["not proven", "not causal"],
)
def test_one_order_where_nothing_streams(workload: Workload) -> None:
    assert policies_for(workload, asked(), small_chip()) == ("min-transfer",)


def test_one_order_for_a_token_alone() -> None:
    assert policies_for(WORKLOAD, asked(prefill=1), small_chip()) == ("min-transfer",)


def test_one_order_by_the_references_accounting() -> None:
    assert policies_for(WORKLOAD, asked(), REFERENCE) == ("min-transfer",)


@pytest.mark.parametrize("policy", [p for p in SCHEDULINGS if p != "auto"])
def test_what_is_asked_for_is_taken(policy: str) -> None:
    assert policies_for(WORKLOAD, asked(policy), small_chip()) == (policy,)


# -- which is kept -----------------------------------------------------------------------------


def choice(times: dict[Scheduling, int]) -> tuple[str, list[OrderTry]]:
    """The policy that is kept where programs take these times, and what is told."""
    one = compile_small(small_workload(layers=1), tokens=2).schedule
    made: dict[int, Scheduling] = {}
    held: list[Schedule] = []

    def ordered(policy: Scheduling) -> Schedule:
        held.append(replace(one))
        made[id(held[-1])] = policy
        return held[-1]

    def time_ps(schedule: Schedule) -> int:
        return times[made[id(schedule)]]

    kept, tried = choose_order(tuple(times), ordered, time_ps)
    assert len(held) == len(times)  # each is made once
    return made[id(kept)], list(tried)


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ((1000, 1000, 1000, 1000), "min-transfer"),
        ((1000, 990, 995, 1001), "min-transfer"),  # a per cent, not more
        ((1000, 989, 990, 990), "arriving"),
        ((1000, 995, 989, 990), "reschedule"),  # of the first, as nothing else was kept
        ((1000, 989, 980, 989), "arriving"),  # 9 of 989 are less than a per cent
        ((1000, 989, 979, 900), "token-order"),
        ((1000, 2000, 3000, 500), "token-order"),
    ],
)
def test_the_fewest_broadcasts_unless_another_saves_a_per_cent(
    times: tuple[int, int, int, int], kept: str
) -> None:
    assert GAIN == 0.01
    by_policy = dict(zip(BY_TRANSFERS, times, strict=True))
    found, tried = choice(by_policy)
    assert found == kept
    assert tried == [OrderTry(policy, ps) for policy, ps in by_policy.items()]


def test_a_single_order_is_not_timed() -> None:
    one = compile_small(small_workload(layers=1), tokens=2).schedule

    def never(_: Schedule) -> int:
        raise AssertionError("timed")

    kept, tried = choose_order(("token-serial",), lambda _: one, never)
    assert kept is one
    assert tried == ()


# -- in a compilation --------------------------------------------------------------------------


def test_auto_is_within_a_per_cent_of_the_shortest() -> None:
    """What was tried was timed by fewer list schedules, so the program may only be shorter.

    Kept is one of time t where no other saves more than 1 % of it: 0.99 t is at most the least.
    """
    done = compiled()
    assert [one.policy for one in done.orders] == list(BY_TRANSFERS)
    assert 99 * done.program.makespan_ps <= 100 * min(one.time_ps for one in done.orders)


def test_one_asked_for_is_not_compared() -> None:
    done = compiled(scheduling="reschedule")
    assert done.orders == ()
    assert {layer.order.policy for layer in done.schedule.prefill.layers} == {"reschedule"}


def test_auto_of_barriers_is_the_order_of_fewest_broadcasts() -> None:
    """As `min-transfer` was the default before anything streamed."""
    auto, other = (
        compiled(streaming(small_workload(), proven=False), scheduling=policy)
        for policy in ("auto", "min-transfer")
    )
    assert auto.orders == ()
    assert np.array_equal(auto.program.start_ps, other.program.start_ps)


@pytest.mark.parametrize("scheduling", ["auto", "arriving", "min-transfer", "token-serial"])
def test_limits_are_kept(scheduling: str) -> None:
    done = compiled(scheduling=scheduling, bus=1, buffer=2)
    for layer in done.schedule.prefill.layers:
        assert check_limits(layer.order.table, Limits(1, 2)) is None


def test_the_same_slots_take_no_longer_without_lockstep() -> None:
    """A group with one turn of a token takes the next while another still has its second.

    A turn takes 1010 ns, all else little (the bus has no limit): in lockstep one a slot.
    """
    wide = {"transfers_per_slot": None, "bits_per_ns": None}
    chip = small_chip(pg={"mux_settle_ps": 1_000_000}, bus=wide)
    serial, free = (
        compiled(chip=chip, scheduling=name) for name in ("token-serial", "token-order")
    )
    for one, other in zip(*(c.schedule.prefill.layers for c in (serial, free)), strict=True):
        assert np.array_equal(one.order.table, other.order.table)
    assert (serial.program.lockstep, free.program.lockstep) == ((0, 1), ())
    slots = max(layer.order.slots for layer in free.schedule.prefill.layers)
    turns = max(layer.order.slots_bound for layer in free.schedule.prefill.layers)
    assert turns < slots
    spared = serial.program.makespan_ps - free.program.makespan_ps
    assert serial.program.makespan_ps > 1_010_000 * slots
    assert 1_010_000 * (slots - turns - 1) <= spared  # but for one turn in which something waits


def test_the_papers_order_refuses_limits() -> None:
    with pytest.raises(InputError, match="reschedule keeps no limit on bus or buffer"):
        compiled(scheduling="reschedule", bus=1)

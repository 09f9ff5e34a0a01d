"""What must not change, or change one way only, when a decision about whole programs does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cost import CostReport, cost
from compiler.baselines import main_methods, unshared
from compiler.grouping import REPLICATING, SOLVERS, Calibration, group_layer, window_slots
from compiler.grouping.split import split_slots
from compiler.options import POLICIES, GroupingOptions, GroupingSolver, Options, Shape
from compiler.pipeline import compile_model
from ir.certificate import Certificate
from ir.chip import Chip
from ir.compiled import Compiled
from ir.mapping import Grouping, LayerGrouping
from ir.program import Opcode, Program
from ir.routing import Routing
from tests.make import compile_small, options_of, random_routing, small_chip, small_workload

TOKENS = 12
WORKLOAD = small_workload(layers=1, experts=4, k=2)
SEQUENCE = np.repeat(np.arange(2), TOKENS)  # one to fit to, one to compile
CHOSEN = random_routing(WORKLOAD, SEQUENCE)[0]


def routing() -> Routing:
    choices = np.nonzero(CHOSEN)[1].reshape(1, len(SEQUENCE), 2).astype(np.int16)
    return Routing(np.array([0]), np.array([4]), SEQUENCE, choices)


def options(grouping: str = "lpt", scheduling: str = "min-transfer") -> Options:
    spans = ((0, TOKENS), (TOKENS, 2 * TOKENS))
    return options_of(Shape(TOKENS), *spans, grouping=grouping, scheduling=scheduling)


def unlimited(mux: int) -> Chip:
    """A chip whose bus never makes anyone wait, and whose switch costs time and area."""
    bus = {"transfers_per_slot": None, "bits_per_ns": None}
    return small_chip(pg={"mux": mux, "mux_settle_ps": 700, "mux_switch_um2": 9}, bus=bus)


def same_program(one: Program, other: Program) -> bool:
    names = ("opcode", "unit", "token", "expert", "slot", "start_ps", "duration_ps", "offset")
    columns = (*names, "energy_fj", "macs", "bytes")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in columns)


def test_mux_one_with_an_unlimited_bus_is_the_unshared_chip() -> None:
    # whatever the mux of the chip that `unshared` is made from, and whatever the grouping
    alone, plain = unshared(unlimited(4)), small_chip(bus=unlimited(1).bus.__dict__, pg={"mux": 1})
    both = [
        compile_model(WORKLOAD, routing(), chip, options(grouping, "compact"))
        for chip, grouping in ((alone, "contiguous"), (unlimited(1), "cp-sat"), (plain, "sorted"))
    ]
    first = both[0].program
    assert all(same_program(first, other.program) for other in both[1:])
    areas = [cost(done.program, done.chip).area.parts_um2 for done in both]
    assert areas[0] == areas[1] == areas[2]
    assert areas[0]["mux switches"] == areas[0]["buses"] == 0
    # no sharing: as many slots as the busiest expert has tokens
    assert both[0].schedule.prefill.layers[0].order.slots == CHOSEN[TOKENS:].sum(axis=0).max()


def test_at_mux_one_the_methods_differ_in_order_alone() -> None:
    many = main_methods(unlimited(1), options("cp-sat", "compact"))
    apart, ours = (compile_model(WORKLOAD, routing(), m.chip, m.options) for m in many[1::2])
    assert same_program(apart.program, ours.program)


def work(done: Compiled | Program) -> tuple[int, int, int]:
    """MVMs, their energy, multiply-accumulates."""
    program = done if isinstance(done, Program) else done.program
    mvm = program.opcode == Opcode.MVM
    return int(mvm.sum()), int(program.energy_fj[mvm].sum()), int(program.macs.sum())


def test_work_does_not_depend_on_grouping_schedule_or_mux() -> None:
    found = set()
    for mux in (1, 2, 3, 4):
        for grouping in ("contiguous", "sorted", "cp-sat"):
            chip = small_chip(pg={"mux": mux})
            found.add(work(compile_model(WORKLOAD, routing(), chip, options(grouping)).program))
    for policy in POLICIES:
        chip = small_chip()
        done = compile_model(WORKLOAD, routing(), chip, options(scheduling=policy))
        found.add(work(done.program))
    # 2 experts of 2 stages a token and 4 dense products and the head: 9 MVMs, 12 tokens
    assert len(found) == 1
    assert found.pop()[0] == (2 * 2 + 4 + 1) * TOKENS


def renamed(chosen: np.ndarray, names: list[int], pgs_per_core: int) -> CostReport:
    """Cost with expert e called names[e], in the same group as before."""
    moved = np.zeros_like(chosen)
    moved[:, names] = chosen
    groups = tuple(tuple(sorted((names[e], names[e + 1]))) for e in (0, 2, 4))
    layer = LayerGrouping(0, groups, "by hand", Certificate("slots", 0, 0, "heuristic"))
    chip = small_chip(pg={"mux": 2}, mesh={"pgs_per_core": pgs_per_core})
    done = compile_small(
        small_workload(layers=1, experts=6, k=3),
        chip,
        tokens=len(chosen),
        chosen={0: moved},
        grouping=Grouping((layer,)),
    )
    return cost(done.program, done.chip)


@given(names=st.permutations(range(6)), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_renaming_experts_leaves_totals(names: list[int], seed: int) -> None:
    workload, old = small_workload(layers=1, experts=6, k=3), list(range(6))
    chosen = random_routing(workload, np.zeros(8, dtype=np.int64), seed)[0]
    # all on one core: time, energy by opcode, area by part, work and the MoE part are the same
    assert renamed(chosen, names, 1000) == renamed(chosen, old, 1000)
    # over many cores, too, but for ways on the mesh: groups are placed by their lowest expert
    one, other = renamed(chosen, names, 4), renamed(chosen, old, 4)
    assert (one.area.parts_um2.keys(), one.moe_area) == (
        other.area.parts_um2.keys(),
        other.moe_area,
    )
    mesh = {"XFER", "STORE"}
    assert all(
        one.energy.dynamic_fj[op] == fj
        for op, fj in other.energy.dynamic_fj.items()
        if op not in mesh
    )


@pytest.mark.parametrize("solver", sorted(set(SOLVERS) - {"scip", "highs"}))
def test_every_expert_used_makes_grouping_irrelevant_to_load(solver: GroupingSolver) -> None:
    # k = E = 6, groups of 2: every group has both its experts used by all 5 tokens of a window
    chosen = np.ones((10, 6), dtype=np.bool_)
    found = group_layer(Calibration(chosen, [(0, 5), (5, 10)]), 0, 2, GroupingOptions(solver))
    assert window_slots(found, chosen, [(0, 5), (5, 10)]).tolist() == [10, 10]
    assert found.certificate.value == found.certificate.bound == 20


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_further_copy_never_raises_the_slots_of_a_split(data: st.DataObject) -> None:
    groups, experts = 4, 6
    some = st.sets(st.integers(0, groups - 1), min_size=1, max_size=2)
    copies = [tuple(sorted(data.draw(some))) for _ in range(experts)]
    row = st.lists(st.integers(0, 30), min_size=experts, max_size=experts)
    loads = np.array(data.draw(st.lists(row, min_size=1, max_size=3)))
    expert, group = data.draw(st.integers(0, experts - 1)), data.draw(st.integers(0, groups - 1))
    more = [tuple(sorted({*held, group})) if e == expert else held for e, held in enumerate(copies)]
    assert np.all(split_slots(loads, more, groups) <= split_slots(loads, copies, groups))


@pytest.mark.parametrize("solver", REPLICATING)
@pytest.mark.parametrize("seed", range(3))
def test_a_replica_never_raises_the_optimal_slots(solver: GroupingSolver, seed: int) -> None:
    # three groups of up to 3 for 6 experts: room for one or two more copies in the same groups
    workload = replace(small_workload(layers=1, experts=6, k=2))
    chosen = random_routing(workload, np.zeros(24, dtype=np.int64), seed, skew=3.0)[0]
    spans = [(0, 8), (8, 16), (16, 24)]
    values = [
        group_layer(
            Calibration(chosen, spans), 0, 3, GroupingOptions(solver, groups=3, replicas=n)
        ).certificate
        for n in (0, 1, 2)
    ]
    if solver != "local-search":
        assert all(known.proven for known in values)
    assert values[0].value >= values[1].value >= values[2].value

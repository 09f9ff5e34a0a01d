"""A compilation rebuilt from its files, so that the verifier can judge the program once more.

The window and its routing come from report.json and routing.npz. Slot orders are not stored: the
turns are those that the program runs, and the verifier asks whether they are what the routing
needs. What the program takes is compared with what the report says of it.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from backends.cost import cost
from compiler.options import Shape
from compiler.pipeline import passing_tokens
from compiler.steps import pairs_run, plan_steps
from compiler.trace import (
    Window,
    first_window,
    passed_tokens,
    routing_matrices,
    routing_of_window,
)
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.compiled import Compiled, Executable
from ir.errors import CheckError, InputError
from ir.mapping import LayerGrouping
from ir.program import Opcode, Program
from ir.routing import Routing
from ir.schedule import Caches, PairOrder, Schedule, SlotOrder, Step
from moexbar.report.compiled import Report
from moexbar.report.methods import MethodRow

SERIAL = "token-serial"  # the slot order that is run in lockstep


def rebuilt(executable: Executable, routing: Routing, report: Report, where: str) -> Compiled:
    """The program with the decisions that it carries out, to be verified.

    where: the report is. Raises InputError where trace and report do not fit the model, CheckError
    for turns that cannot be.
    """
    workload, chip, said = executable.workload, executable.chip, report.window
    shape = Shape.of(said.each if said.sides else said.prefill, said.batch, said.decode)
    traced = routing_matrices(workload, routing)
    window = first_window(routing, said.score_tokens, shape)
    found = {"tokens": len(window.trace), "first_token": int(window.trace[0])}
    for name, value in (found | {"trace_tokens": routing.tokens}).items():
        if getattr(said, name) != value:
            problem = f"window.{name}: {getattr(said, name)}, but the routing trace gives {value}"
            raise InputError(where, problem, "compile again")
    chosen = routing_of_window(workload, routing, traced, window)
    schedule = _schedule(executable, report, window, chosen)
    passed = passed_tokens(workload, routing, window.trace)
    passing = passing_tokens(workload, schedule, chosen, passed)
    asked = workload, chip, executable.mapping, executable.program
    return Compiled(*asked, schedule, chosen, passing)


def _schedule(
    executable: Executable, report: Report, window: Window, chosen: Mapping[int, Bools]
) -> Schedule:
    workload, said = executable.workload, report.window
    caches = Caches(said.kv, said.go)
    plan = plan_steps(
        window.arrival,
        caches,
        expert_choice=any(op.router.capacity is not None for op in workload.moe_layers),
        reference=executable.chip.memory.accounting == "reference",
    )
    policies = {row.layer: row.schedule.policy for row in report.layers}
    groups = executable.mapping.grouping.for_layers(workload.expert_homes).layers
    steps = tuple(
        Step(
            step.number,
            step.fresh,
            step.rows,
            step.scored,
            tuple(
                _order(executable, step, layer, chosen[layer.layer], policies.get(layer.layer, ""))
                for layer in groups
            ),
            step.kv,
        )
        for step in plan
    )
    return Schedule(
        window.sequence, window.arrival, window.trace, steps, caches, sampled=said.decode > 0
    )


def _order(
    executable: Executable, step: Step, layer: LayerGrouping, chosen: Bools, policy: str
) -> PairOrder:
    """The turns of one layer in one step, as the program runs them."""
    program = executable.program
    operators = executable.workload.operators
    (own,) = (op for op in executable.workload.moe_layers if op.layer == layer.layer)
    (node,) = (i for i, op in enumerate(operators) if op is own)
    mine = (program.opcode == Opcode.MVM) & (program.stage == 0) & (program.expert >= 0)
    mine &= (program.node == node) & (program.step == step.number)
    rows = np.flatnonzero(mine)
    of_unit = np.array([unit.group for unit in program.units], dtype=np.int64)
    turns: dict[str, tuple[Ints, int]] = {
        "token": (int64(program.token[rows]), len(chosen)),
        "expert": (int64(program.expert[rows]), chosen.shape[1]),
        "group": (of_unit[program.unit[rows]], len(layer.groups)),
        "slot": (int64(program.slot[rows]), len(chosen) + len(rows)),
    }
    for name, (values, limit) in turns.items():
        wrong = np.flatnonzero((values < 0) | (values >= limit))
        if len(wrong):
            culprit, found = program.name(int(rows[wrong[0]])), values[wrong[0]]
            raise CheckError("schedule", culprit, f"{name} {found}, expected 0 to {limit - 1}")
    token, expert, group, slot = (values for values, _ in turns.values())
    by_turn = np.lexsort((group, slot))
    token, expert, group, slot = token[by_turn], expert[by_turn], group[by_turn], slot[by_turn]
    table = np.full((int(slot.max(initial=-1)) + 1, len(layer.groups)), -1, dtype=np.int64)
    table[slot, group] = token
    picked = pairs_run(step, chosen)
    return PairOrder(
        layer.layer,
        token,
        expert,
        layer.copy_in()[expert, group],
        group,
        slot,
        SlotOrder(policy, table, 0, 0, "heuristic", lockstep=policy == SERIAL),
        np.argwhere(picked & ~layer.on_crossbars(picked)),
    )


def int64(column: npt.NDArray[np.int32]) -> Ints:
    """A narrow column, wide enough for indices."""
    return column.astype(np.int64)


def refuse_other_figures(where: str, report: Report, program: Program, chip: Chip) -> None:
    """InputError where a report says other figures of its program than that takes."""
    row = report.methods[-1] if report.methods else None
    if not isinstance(row, MethodRow):
        raise InputError(where, "methods: the last one has no figures", "compile again")
    found = cost(program, chip)
    said: dict[str, tuple[float | None, float | None]] = {
        "instructions": (row.instructions, len(program)),
        "macs": (row.macs, found.macs),
        "time_ns": (row.time_ns, found.time_ps / 1000),
        "moe_time_ns": (row.moe_time_ns, found.moe_time_ps / 1000),
        "energy_nj": (row.energy_nj.total, found.energy.total_fj / 1e6),
        "area_mm2": (row.area_mm2.total, found.area.total_um2 / 1e6),
        "moe_area_mm2": (row.moe_area_mm2.total, found.moe_area.total_um2 / 1e6),
    }
    for name, (told, taken) in said.items():
        if told != taken:
            field = f"methods[{len(report.methods) - 1}].{name}"
            problem = f"{field}: {told}, but program.parquet gives {taken}"
            raise InputError(where, problem, "one of them was changed: compile again")

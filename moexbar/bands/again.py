"""A compiled method on its chip with other numbers: costed, timed or placed anew, never regrouped.

Sizes that the compiler chose stay what they are: the chip is designed, and turns out otherwise.
"""

from dataclasses import dataclass

from backends.breakeven import Run, share_by_programs
from backends.cost import CostReport, cost
from compiler.baselines import OURS, PAPER, UNSHARED_OURS, Pair
from compiler.emit import emit
from compiler.partition import partition
from compiler.pipeline import place_experts
from compiler.timeline.assemble import set_times
from compiler.trace import routing_matrices
from ir.chip import Chip
from ir.compiled import Compiled
from ir.routing import Routing
from moexbar.bands.assumptions import Effect
from moexbar.report.gains import MethodResult

Figures = dict[str, float | None]
PAIRS: tuple[Pair, ...] = (OURS, UNSHARED_OURS, PAPER)


@dataclass(frozen=True, eq=False)
class Judged:
    """A method on some chip, and what its program costs there."""

    run: Run
    cost: CostReport


def again(result: MethodResult, routing: Routing, chip: Chip, effect: Effect) -> Judged:
    """The method's program on `chip`, which differs from its own in numbers of that effect.

    Raises InfeasibleError where it does not fit.
    """
    done = result.compiled
    program = done.program
    if effect != "cost":
        mapping = done.mapping
        if effect == "place":
            mapping = place_experts(
                done.workload,
                partition(done.workload, chip),
                mapping.grouping,
                routing_matrices(done.workload, routing),
                routing,
                chip,
                result.method.options,
            )
        draft, units = emit(done.workload, mapping, done.schedule, chip, done.passed)
        program = set_times(draft, units, done.workload, mapping, done.schedule, chip)
    return Judged(Run(program, chip, _slots(done)), cost(program, chip))


def _slots(done: Compiled) -> int:
    return sum(layer.order.slots for layer in done.schedule.prefill.layers)


def energy_parts(report: CostReport) -> dict[str, float]:
    """The parts of a program's energy in nJ: opcodes, buffers, and what is always on."""
    parts = report.energy.dynamic_fj | report.energy.static_fj
    return {name: fj / 1e6 for name, fj in parts.items()}


def figures(judged: dict[Pair, Judged]) -> Figures:
    """The headline figures of ours, and what it gains over the others that are there."""
    ours = judged[OURS].cost
    area = None if ours.area.missing else ours.area.total_um2 / 1e6
    found: Figures = {
        "time_ns": ours.time_ps / 1000,
        "energy_nj": ours.energy.total_fj / 1e6,
        "area_mm2": area,
        "moe_gops_per_mm2": ours.moe_gops_per_mm2,
        "gops_per_w_mm2": ours.gops_per_w_mm2,
    }
    for name, pair in (("sharing", UNSHARED_OURS), ("over_paper", PAPER)):
        if pair in judged:
            mine, theirs = ours.moe_gops_per_mm2, judged[pair].cost.moe_gops_per_mm2
            found[name] = mine / theirs if mine and theirs else None
    if UNSHARED_OURS in judged:
        share = share_by_programs(judged[OURS].run, judged[UNSHARED_OURS].run)
        found["break_even_programs"] = share
    return found

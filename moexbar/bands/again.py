"""A compiled method on its chip with other numbers: costed, timed or placed anew, never regrouped.

Sizes that the compiler chose stay what they are: the chip is designed, and turns out otherwise.
`jitter` schedules by the same code.
"""

from dataclasses import dataclass, replace

from backends.breakeven import Run, share_by_programs
from backends.cost import CostReport, cost
from compiler.baselines import OURS, PAPER, UNSHARED_OURS, Pair
from compiler.emit import emit
from compiler.emit.stream import Draft
from compiler.emit.units import Units
from compiler.partition import partition
from compiler.pipeline import place_experts
from compiler.timeline.assemble import set_times
from compiler.trace import routing_matrices
from ir.arrays import Floats
from ir.chip import Chip
from ir.compiled import Compiled
from ir.mapping import Mapping
from ir.program import Program
from ir.routing import Routing
from moexbar.bands.assumptions import Effect
from moexbar.bands.ranges import Figures
from moexbar.report.gains import GAINS, MethodResult, times_over

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
            asked = result.method.options
            placement = replace(asked.placement, stacks=mapping.stacks)
            mapping = place_experts(
                done.workload,
                partition(done.workload, chip),
                mapping.grouping,
                routing_matrices(done.workload, routing),
                routing,
                chip,
                replace(asked, placement=placement),
            )
        program = emitted(done, mapping, chip).timed()
    return Judged(Run(program, chip, _slots(done)), cost(program, chip))


@dataclass(frozen=True, eq=False)
class Emitted:
    """The decisions of a compilation as instructions without start times.

    mapping: of the same groups; chip: that it is emitted for.
    """

    done: Compiled
    mapping: Mapping
    chip: Chip
    draft: Draft
    units: Units

    def timed(self, factors: Floats | None = None) -> Program:
        """The program, its schedule made anew; factors [opcodes]: of the times of each opcode.

        Raises InfeasibleError where its values do not fit buffers of a fixed size.
        """
        draft = self.draft if factors is None else self.draft.scaled(factors)
        done = self.done
        return set_times(draft, self.units, done.workload, self.mapping, done.schedule, self.chip)


def emitted(done: Compiled, mapping: Mapping, chip: Chip) -> Emitted:
    """The decisions of a compilation, on another mapping of its groups or another chip."""
    draft, units = emit(done.workload, mapping, done.schedule, chip, done.passed)
    return Emitted(done, mapping, chip, draft, units)


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
    for name, pair in GAINS.items():
        if pair in judged:
            found[name] = times_over(ours, judged[pair].cost)
    if UNSHARED_OURS in judged:
        share = share_by_programs((judged[OURS].run,), (judged[UNSHARED_OURS].run,))
        found["break_even_programs"] = share
    return found

"""What one method gave, and how often the figure of another one: sharing and ordering apart."""

from collections.abc import Sequence
from dataclasses import dataclass

from backends.breakeven import Run, peripheral_share, share_by_programs, share_by_slots
from backends.cost import CostReport, cost
from compiler.baselines import (
    PAPER,
    PAPER_BASELINE,
    SERIAL_OURS,
    UNSHARED_OURS,
    Method,
    Pair,
    Unfit,
)
from compiler.options import SlotOptions
from ir.arrivals import Arrivals
from ir.compiled import Compiled
from moexbar.report.methods import GainsRow

GAINS: dict[str, Pair] = {  # over which method each gain of the report is
    "sharing": UNSHARED_OURS,
    "ordering": SERIAL_OURS,
    "over_paper": PAPER,
    "over_paper_baseline": PAPER_BASELINE,
}


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What one method gave.

    mean_slots: slots of a window in the mean over all windows of the score range; seconds: of the
    compilation.
    """

    method: Method
    compiled: Compiled
    mean_slots: float
    seconds: float


def gains_row(baselines: Sequence[MethodResult | Unfit], ours: MethodResult) -> GainsRow | None:
    """The asked method against the others that have a program; None without others."""
    if not baselines:
        return None
    fit = {one.method.pair: one.compiled for one in baselines if isinstance(one, MethodResult)}
    alone = fit.get(UNSHARED_OURS)
    shared, others = _run(ours.compiled), None if alone is None else _run(alone)
    return GainsRow(
        **{name: _over(fit, other, ours.compiled) for name, other in GAINS.items()},
        peripheral_share=peripheral_share(ours.compiled.chip),
        break_even_slots=None if others is None else share_by_slots(shared, others),
        break_even_programs=None if others is None else share_by_programs((shared,), (others,)),
    )


def kept_policy(compiled: Compiled, asked: SlotOptions) -> str:
    """The slot order that was kept, where the compiler chose it."""
    orders = compiled.schedule.prefill.layers
    if not orders:
        return asked.policy
    return "arriving" if isinstance(orders[0].order.presence, Arrivals) else orders[0].order.policy


def _run(done: Compiled) -> Run:
    slots = sum(layer.order.slots for layer in done.schedule.prefill.layers)
    return Run(done.program, done.chip, slots)


def _over(fit: dict[Pair, Compiled], other: Pair, ours: Compiled) -> float | None:
    """MoE GOPS/mm2 of ours over those of another method, where both are known."""
    if other not in fit:
        return None
    return times_over(*(cost(d.program, d.chip) for d in (ours, fit[other])))


def times_over(mine: CostReport, theirs: CostReport) -> float | None:
    """How many times the MoE GOPS/mm2 of the other; None where one of both is not known."""
    one, other = mine.moe_gops_per_mm2, theirs.moe_gops_per_mm2
    return one / other if one and other else None

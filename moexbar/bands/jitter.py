"""Every method scheduled again with times that differ a little: what of a gain is noise.

A list schedule's order is one of many, and a small change of some time may give another one of
another length. One factor for each opcode shows that; a factor for each instruction averages out
over the instructions. In a run every method has the same factors, so that of what they all have in
common (a slower unit that binds all of them) nothing is in the quotients.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from backends.cost import CostReport, cost
from compiler.baselines import OURS, Pair, Unfit
from ir.arrays import Floats
from ir.errors import InfeasibleError
from ir.program import Opcode
from moexbar.bands.again import emitted
from moexbar.progress import Progress
from moexbar.report.gains import GAINS, MethodResult, times_over
from moexbar.report.jittered import JitterRow, MethodJitterRow, QuotientRow, SpreadRow

SIZE = 0.02  # no time of a chip is known better; a tenth of it gives ranges nearly as wide
DIGITS = 3  # after the point, of a quotient as it is printed


def jitter_row(
    results: Sequence[MethodResult | Unfit], runs: int, seed: int, progress: Progress
) -> JitterRow | None:
    """Times and gains of all methods over so many runs; None for one run, which has no noise.

    results: of all methods, the asked one among them.
    """
    if runs == 1:
        return None
    fit = [one for one in results if isinstance(one, MethodResult)]
    drawn = factors(runs, seed)
    progress.begin("jitter", len(fit) * len(drawn))
    found = {one.method.pair: _costs(one, drawn, progress) for one in fit}
    progress.end()
    whole = _whole(found)
    names = {one.method.pair: one.method.name for one in fit}
    ours = whole[OURS]
    return JitterRow(
        runs,
        SIZE,
        seed,
        runs - len(ours),
        tuple(_method(names[pair], costs, ours) for pair, costs in whole.items()),
        _gains(whole),
    )


def factors(runs: int, seed: int) -> tuple[Floats, ...]:
    """The factors [opcodes] of every run but the first; more runs begin with those of fewer."""
    drawn = (np.random.default_rng((seed, run)) for run in range(1, runs))
    return tuple(rng.uniform(1 - SIZE, 1 + SIZE, len(Opcode)) for rng in drawn)


def _costs(
    result: MethodResult, drawn: Iterable[Floats], progress: Progress
) -> list[CostReport | None]:
    """What the method's program costs in every run; None where it does not fit."""
    done = result.compiled
    found: list[CostReport | None] = [cost(done.program, done.chip)]
    draft = emitted(done, done.mapping, done.chip)
    for run, each in enumerate(drawn, 2):
        progress.step(f"{result.method.name}, run {run}")
        try:
            found.append(cost(draft.timed(each), done.chip))
        except InfeasibleError:
            found.append(None)
    return found


def _whole(found: dict[Pair, list[CostReport | None]]) -> dict[Pair, list[CostReport]]:
    """The runs in which all methods fit: every method has the same ones."""
    runs = [
        [one for one in costs if one is not None] for costs in zip(*found.values(), strict=True)
    ]
    whole = (costs for costs in runs if len(costs) == len(found))
    return dict(zip(found, map(list, zip(*whole, strict=True)), strict=True))


def _method(name: str, costs: Sequence[CostReport], ours: Sequence[CostReport]) -> MethodJitterRow:
    times = [one.time_ps / 1000 for one in costs]
    time = SpreadRow(float(np.mean(times)), min(times), max(times))
    pairs = zip(costs, ours, strict=True)
    of_ours = None if costs is ours else quotient([a.time_ps / b.time_ps for a, b in pairs])
    return MethodJitterRow(name, time, of_ours)


def _gains(whole: dict[Pair, list[CostReport]]) -> dict[str, QuotientRow]:
    """The gains of the asked method over others that are there and of known areas."""
    found = dict[str, QuotientRow]()
    for name, other in GAINS.items():
        pairs = zip(whole[OURS], whole.get(other, ()), strict=False)
        known = [times for times in (times_over(*pair) for pair in pairs) if times is not None]
        if known:
            found[name] = quotient(known)
    return found


def quotient(values: Sequence[float]) -> QuotientRow:
    """Mean and range of some quotients; equal where 1 is in the range, as it is printed."""
    low, high = min(values), max(values)
    equal = round(low, DIGITS) <= 1 <= round(high, DIGITS)
    return QuotientRow(float(np.mean(values)), low, high, equal)

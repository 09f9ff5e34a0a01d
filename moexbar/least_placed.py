"""A model of which crossbars hold too little is refused: its figures would say nothing of it."""

import math
from collections.abc import Iterator
from pathlib import Path

from ir.account import DigitalWeights, WeightAccount
from ir.errors import Amount, InfeasibleError, InputError
from ir.workload import Workload

LEAST_PLACED = 90.0
_NAMED = 3  # selections that were not read, in a message
_INTEGERS = "compile the model as it was before it was quantised"
_FLAT = "export it without control flow"
_ADVICE = {  # by operator type, how to get a model that is read
    "MatMulInteger": _INTEGERS,
    "MatMulIntegerToFloat": _INTEGERS,
    "DynamicQuantizeMatMul": _INTEGERS,
    "QLinearMatMul": _INTEGERS,
    "If": _FLAT,
    "Loop": _FLAT,
    "Scan": _FLAT,
}


def refuse_unplaced(path: Path, workload: Workload, least_percent: float) -> None:
    """InfeasibleError where fewer of the matrix elements are on crossbars.

    least_percent: of those outside lookup tables. The error names what is in the way and why.
    """
    if not 0 <= least_percent <= 100:
        raise InputError("--least-placed", f"{least_percent:g}, expected 0 to 100 per cent")
    account = workload.account
    whole = account.matrices - account.tables
    if account.placed_percent_outside_tables >= least_percent:
        return
    ways = [*_reasons(account, whole), *_unread(workload)]
    advice = dict.fromkeys(_ADVICE[g.operator] for g in account.in_the_way if g.operator in _ADVICE)
    raise InfeasibleError(
        f"{path}: weights on crossbars",
        Amount(math.ceil(whole * least_percent / 100), f"{least_percent:g} % (--least-placed)"),
        Amount(
            account.crossbar,
            f"{account.placed_percent_outside_tables:.1f} % ({account.crossbar} of {whole} matrix "
            "elements outside lookup tables)",
        ),
        "matrix elements",
        f"in the way: {'; '.join(ways)}; "
        + "".join(f"{words}, or " for words in advice)
        + "use --least-placed 0 to go on: what is left digital is counted as such",
    )


def _reasons(account: WeightAccount, whole: int) -> Iterator[str]:
    for group in account.in_the_way:
        yield f"{_nodes(group)}, {100 * group.elements / whole:.1f} %: {group.reason}"


def _nodes(group: DigitalWeights) -> str:
    if group.nodes == 1:
        return f"{group.operator} {group.first!r}"
    return f"{group.nodes} {group.operator} ({group.first!r} and others)"


def _unread(workload: Workload) -> Iterator[str]:
    """Selections whose MoE layers were not read, which the matrices may be part of."""
    said = {group.reason for group in workload.account.in_the_way}
    fresh = [s for s in workload.suspects if s.reason not in said]
    for suspect in fresh[:_NAMED]:
        yield f"{suspect.op_type} {suspect.node!r}: {suspect.reason}"
    if len(fresh) > _NAMED:
        yield f"{len(fresh) - _NAMED} more such selections (moexbar model)"

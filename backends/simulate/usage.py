"""How busy each unit was."""

from dataclasses import dataclass

import numpy as np

from ir.program import Program


@dataclass(frozen=True)
class Use:
    """A unit's jobs and busy time, and that time over the makespan."""

    name: str
    kind: str
    jobs: int
    busy_ps: int
    share: float


@dataclass(frozen=True)
class KindUse:
    """All units of a kind together: `share` is their mean, `busiest` the fullest of them."""

    kind: str
    units: int
    jobs: int
    busy_ps: int
    share: float
    busiest: Use


def unit_uses(program: Program) -> list[Use]:
    """Every unit, the busiest first (of equals, the lower in the table)."""
    busy = np.zeros(len(program.units), dtype=np.int64)
    np.add.at(busy, program.unit, program.busy_ps)
    jobs = np.bincount(program.unit, minlength=len(program.units))
    whole = max(program.makespan_ps, 1)
    uses = [
        Use(unit.name, unit.kind, int(n), int(ps), int(ps) / whole)
        for unit, n, ps in zip(program.units, jobs, busy, strict=True)
    ]
    return sorted(uses, key=lambda use: -use.busy_ps)


def kind_uses(uses: list[Use]) -> list[KindUse]:
    """Uses by kind, from `unit_uses`; the kind with the busiest unit first."""
    kinds: dict[str, list[Use]] = {}
    for use in uses:
        kinds.setdefault(use.kind, []).append(use)
    return [
        KindUse(
            kind,
            len(of),
            sum(u.jobs for u in of),
            sum(u.busy_ps for u in of),
            sum(u.share for u in of) / len(of),
            of[0],
        )
        for kind, of in kinds.items()
    ]

"""Change correct programs at random and see whether executing them notices.

Five kinds of change that alter what a program computes: two crossbars' cells exchanged, an
instruction dropped, another expert of the same group, another token's value, a start before what it
reads has ended. A change that leaves every output as it was is `harmless`: it is listed.

    python -m benchmarks.mutations --changes 1000
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backends.functional import Case, compare, execute
from backends.functional.crossbars import Crossbars
from ir.errors import CheckError
from ir.onnxdoor.session import Runtime
from ir.program import Opcode, Program
from tests.backends.functional import mutate
from tests.backends.functional.small import small_case
from tests.compiler.frontend import models

MODELS: dict[str, tuple[models.Ffn, dict[str, Any]]] = {
    "shared expert, 2 steps": (
        models.dense_masked(models.sigmoid_topk, shared=models.gated_shared),
        {"tokens": 7, "decode": 2},
    ),
    "expert choice": (models.expert_choice(), {"tokens": 8}),
    "biases, clipped": (models.gather_batched(models.topk_softmax, oai=True), {"tokens": 6}),
}
KINDS = ("swap tiles", "drop", "wrong expert", "wrong value", "too early")


def change(kind: str, p: Program, random: np.random.Generator) -> Program | None:
    """A program with one change of a kind, None where the row drawn admits none."""
    row = int(random.integers(len(p)))
    if kind == "drop":
        return mutate.drop(p, row)
    if kind == "wrong expert":
        mvm = np.flatnonzero((p.opcode == Opcode.MVM) & (p.expert >= 0))
        row = int(random.choice(mvm))
        others = mvm[(p.unit[mvm] == p.unit[row]) & (p.expert[mvm] != p.expert[row])]
        return mutate.put(p, "expert", row, int(p.expert[others[0]])) if len(others) else None
    read = p.reads[row].tolist()
    if not read:
        return None
    old = int(random.choice(read))
    if kind == "too early":
        return mutate.put(p, "start_ps", row, int(p.end_ps[old]) - 1) if p.end_ps[old] else None
    alike = (p.opcode == p.opcode[old]) & (p.node == p.node[old]) & (p.stage == p.stage[old])
    alike &= (p.token != p.token[old]) & (p.token >= 0) & (p.end_ps <= p.start_ps[row])
    found = np.flatnonzero(alike)
    return mutate.read_instead(p, row, old, int(random.choice(found))) if len(found) else None


def exchange(crossbars: Crossbars, random: np.random.Generator) -> tuple[Any, Any] | None:
    """The cells of two crossbars behind one PG exchanged; their arrays, to change them back."""
    pg, position = random.choice(sorted(crossbars.cells))
    one, other = crossbars.cells[pg, position], crossbars.cells.get((int(pg), int(position) + 1))
    if other is None or one.shape != other.shape:
        return None
    one[:], other[:] = other.copy(), one.copy()
    return one, other


def notice(case: Case, crossbars: Crossbars, runtime: Runtime) -> str:
    """Who notices: `refused` by the execution, `wrong` numbers, or `harmless`."""
    try:
        done = compare(execute(case, runtime, crossbars))
    except CheckError:
        return "refused"
    return "wrong" if done.culprit >= 0 else "harmless"


def main() -> int:
    """Run the changes; print a table, and what was harmless."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)
    tally: Counter[tuple[str, str]] = Counter()
    begun, harmless = time.perf_counter(), list[str]()
    with tempfile.TemporaryDirectory() as folder, Runtime() as runtime:
        cases: list[tuple[Case, Crossbars]] = []
        for number, (block, options) in enumerate(MODELS.values()):
            place = Path(folder) / str(number)
            place.mkdir()
            case = small_case(place, block, **options)
            cases.append((case, Crossbars(case.mapping, case.chip, case.source)))
        while sum(tally.values()) < asked.changes:
            case, crossbars = cases[int(random.integers(len(cases)))]
            kind = KINDS[int(random.integers(len(KINDS)))]
            swapped = exchange(crossbars, random) if kind == "swap tiles" else None
            program = case.program if swapped else change(kind, case.program, random)
            if program is None or (kind == "swap tiles" and swapped is None):
                continue
            seen = notice(replace(case, program=program), crossbars, runtime)
            tally[kind, seen] += 1
            if seen == "harmless":
                harmless.append(f"{kind}: {_changed(case.program, program)}")
            if swapped:
                one, other = swapped
                one[:], other[:] = other.copy(), one.copy()
    for kind in KINDS:
        counts = {s: tally[kind, s] for s in ("refused", "wrong", "harmless")}
        print(f"{kind:14}", *(f"{name} {count:4}" for name, count in counts.items()))
    print(f"{sum(tally.values())} changes in {time.perf_counter() - begun:.0f} s")
    print(*harmless, sep="\n")
    return 0


def _changed(before: Program, after: Program) -> str:
    """The instruction that is gone, or reads something else."""
    for row in range(min(len(before), len(after))):
        if len(before) != len(after) and before.opcode[row] != after.opcode[row]:
            return before.name(row)
        if len(before) == len(after) and not np.array_equal(before.reads[row], after.reads[row]):
            return f"{before.name(row)} reads {after.reads[row].tolist()}"
    return "the last instructions"


if __name__ == "__main__":
    sys.exit(main())

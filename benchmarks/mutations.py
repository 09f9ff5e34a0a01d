"""Change correct programs at random: what the verifier and the execution notice, each by itself.

Eight kinds of change: two crossbars' cells exchanged (a fault of the chip, which no verifier of
programs can see), an instruction dropped or done twice, another expert of the same group, another
token's value, a read left out, a start before what it reads has ended, and an instruction that
changes places with one that it reads. `harmless`: neither notices, and every value is what it was.
`missed`: neither notices, and a value changed; then the exit code is 1.

    python -m benchmarks.mutations --changes 1000
"""

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from backends.functional import Case, Comparison, compare, execute
from backends.functional.crossbars import Crossbars
from ir.compiled import Compiled
from ir.errors import CheckError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode, Program
from ir.verify import verify_program
from tests.backends.functional import mutate
from tests.chain.recipe import Layer, Model, Recipe, Span
from tests.chain.run import case_of, compile_recipe, read_recipe

TILED = {"crossbar": {"rows": 5}}  # matrices of 8 rows in two tiles
RECIPES: dict[str, Recipe] = {
    "token choice, shared expert, 2 steps": Recipe(
        Model((Layer(router="sigmoid", shared="with a gate"),)), Span(5, 2), TILED
    ),
    "expert choice, 2 steps": Recipe(Model((Layer("expert choice"),)), Span(6, 2), TILED),
    "biases, clipped": Recipe(Model((Layer("gather batched, clipped, biases"),)), Span(6), TILED),
    "router on crossbars, replicas": Recipe(
        span=Span(6),
        chip={**TILED, "digital": {"router_on": "crossbar"}},
        options={"grouping": "local-search", "replicas": 2, "groups": 3},
    ),
}
KINDS = (
    "swap tiles",
    "drop",
    "duplicate",
    "wrong expert",
    "wrong value",
    "drop a read",
    "too early",
    "reorder",
)
SEEN = ("verifier", "refused", "wrong", "harmless", "missed")
ROUNDING = 1e-6  # an error that moved by more was not rounding


def change(kind: str, p: Program, random: np.random.Generator) -> Program | None:
    """A program with one change of a kind, None where the row drawn admits none."""
    row = int(random.integers(len(p)))
    if kind == "drop":
        return mutate.drop(p, row)
    if kind == "duplicate":
        return mutate.duplicate(p, row, int(random.choice([p.start_ps[row], p.makespan_ps])))
    if kind == "wrong expert":
        mvm = np.flatnonzero((p.opcode == Opcode.MVM) & (p.expert >= 0))
        row = int(random.choice(mvm))
        others = mvm[(p.unit[mvm] == p.unit[row]) & (p.expert[mvm] != p.expert[row])]
        return mutate.put(p, "expert", row, int(p.expert[others[0]])) if len(others) else None
    read = p.reads[row].tolist()
    if not read:
        return None
    old = int(random.choice(read))
    if kind == "drop a read":
        return mutate.reads(p, row, [r for r in read if r != old])
    if kind == "too early":
        return mutate.put(p, "start_ps", row, int(p.end_ps[old]) - 1) if p.end_ps[old] else None
    if kind == "reorder":
        return mutate.swap(p, "start_ps", row, old)
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


@dataclass(frozen=True, eq=False)
class Subject:
    """A correct program, all that judges it, and its comparison."""

    case: Case
    done: Compiled
    crossbars: Crossbars
    right: Comparison

    def verified(self, program: Program) -> bool:
        """Whether the compiler's own verifier lets it pass."""
        try:
            verify_program(replace(self.done, program=program))
        except CheckError:
            return False
        return True

    def executed(self, program: Program, runtime: Runtime) -> str:
        """`refused`, `wrong` or `missed`: other numbers, within the tolerance; or `harmless`."""
        try:
            found = compare(execute(self.case.running(program), runtime, self.crossbars))
        except CheckError:
            return "refused"
        if found.culprit >= 0:
            return "wrong"
        both = zip(found.operators, self.right.operators, strict=True)
        moved = max(abs(a.relative - b.relative) for a, b in both)
        return "missed" if moved > ROUNDING else "harmless"


def prepare(recipe: Recipe, folder: Path, runtime: Runtime) -> Subject:
    """Compile and execute a recipe as it is."""
    folder.mkdir()
    ready = read_recipe(recipe, folder, runtime)
    done = compile_recipe(ready)
    case = case_of(ready, done)
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    return Subject(case, done, crossbars, compare(execute(case, runtime, crossbars)))


def main(argv: list[str] | None = None) -> int:
    """Make the changes; print a table, and what was harmless. 1 if any was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(argv)
    random = np.random.default_rng(asked.seed)
    tally: Counter[tuple[str, str]] = Counter()
    begun, told = time.perf_counter(), list[str]()
    with tempfile.TemporaryDirectory() as folder, Runtime() as runtime:
        subjects = [
            prepare(recipe, Path(folder) / str(number), runtime)
            for number, recipe in enumerate(RECIPES.values())
        ]
        for number in track(range(asked.changes), "changes", transient=True):
            kind = KINDS[number % len(KINDS)]
            for name in (net := one_change(kind, subjects, random, runtime, told)):
                tally[kind, name] += 1
            tally[kind, "changes"] += bool(net)
    print(table(tally))
    print(f"{asked.changes} changes in {time.perf_counter() - begun:.0f} s")
    print(*told, sep="\n")
    return 1 if any(tally[kind, "missed"] for kind in KINDS) else 0


def one_change(
    kind: str,
    subjects: list[Subject],
    random: np.random.Generator,
    runtime: Runtime,
    told: list[str],
) -> list[str]:
    """Change a program drawn from `subjects`; who noticed, of SEEN."""
    while True:
        subject = subjects[int(random.integers(len(subjects)))]
        p = subject.case.program
        swapped = exchange(subject.crossbars, random) if kind == "swap tiles" else None
        program = p if swapped else change(kind, p, random) if kind != "swap tiles" else None
        if program is not None:
            break
    verified, executed = subject.verified(program), subject.executed(program, runtime)
    if swapped:
        one, other = swapped
        one[:], other[:] = other.copy(), one.copy()
    nets = [] if verified else ["verifier"]
    if executed in ("refused", "wrong"):
        nets.append(executed)
    elif verified:
        nets.append(executed)
        told.append(f"{executed}: {kind}: {_changed(p, program)}")
    return nets


def table(tally: Counter[tuple[str, str]]) -> str:
    """Kind by net; a change may be noticed by both."""
    head = ("changes", *SEEN)
    lines = [" " * 14 + "".join(f"{name:>10}" for name in head)]
    for kind in KINDS:
        lines.append(f"{kind:14}" + "".join(f"{tally[kind, name]:10}" for name in head))
    return "\n".join(lines)


def _changed(before: Program, after: Program) -> str:
    """The instruction that is gone, or is not as it was."""
    for row in range(min(len(before), len(after))):
        if len(before) != len(after) and before.opcode[row] != after.opcode[row]:
            return before.name(row)
        if len(before) == len(after) and not np.array_equal(before.reads[row], after.reads[row]):
            return f"{before.name(row)} reads {after.reads[row].tolist()}"
        if len(before) == len(after) and before.start_ps[row] != after.start_ps[row]:
            return f"{before.name(row)} starts at {after.start_ps[row]} ps"
    return "the last instructions" if len(before) != len(after) else "cells"


if __name__ == "__main__":
    raise SystemExit(main())

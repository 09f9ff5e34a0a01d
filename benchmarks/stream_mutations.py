"""Random changes of streamed programs: who refuses each, and whether the others are harmless.

Every change goes to the verifier, which names the check that refuses it. What the verifier lets
pass goes to the simulator, which replays its times; what that lets pass as well survives. A
survivor is harmless if its times are legal by a recheck of its own and the functional backend
computes from it what it computes from the program as it was; if not, the exit code is 1.

    python -m benchmarks.stream_mutations --changes 1600
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from backends.functional import Case, Comparison, compare, execute
from backends.functional.order import check_order
from backends.simulate import replay
from benchmarks.stream_changes import KINDS, same
from ir.compiled import Compiled
from ir.errors import CheckError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Lists, Program
from ir.verify import verify_program
from moexbar.chips import load_chip
from tests.backends.functional.small import case_of
from tests.chain.recipe import Layer, Model, Recipe, Span
from tests.chain.run import case_of as case_of_recipe
from tests.chain.run import compile_recipe, read_recipe

MODELS = Path(__file__).parents[1] / "examples" / "models"
ROUNDING = 1e-6  # an error that moved by more was not rounding
SIZES = {"bus.transfers_per_slot": "2", "pg.input_buffers": "2", "bus.return_lanes": "2"}
SHARED = Recipe(  # sums of three tiles and more in a tree, one broadcast to router and experts
    Model((Layer(shared="gated"), Layer("dense"))),
    Span(5, 2),
    {
        "crossbar": {"rows": 3},
        "accumulate": {"order": "tree"},
        "digital": {"router_on": "crossbar"},
    },
    {"dense_copies": 3},
)
TILED = Recipe(
    Model((Layer(router="sigmoid"), Layer("gather batched"))),
    Span(9, batch=2),
    {"digital": {"mha_bits_per_ns": 64}, "mesh": {"pgs_per_core": 7}},
)
KEPT = Recipe(Model((Layer(), Layer())), Span(4, 3, 2), {"memory": {"kv": "buffers"}})


@dataclass(frozen=True, eq=False)
class Subject:
    """A correct program, what judges it, and what it computes."""

    case: Case
    done: Compiled
    right: Comparison

    def refused_by(self, program: Program) -> str:
        """The verifier's check or `simulator`; empty if neither refuses it."""
        try:
            verify_program(replace(self.done, program=program))
        except CheckError as error:
            return error.check
        try:
            replay(program, self.done.chip)
        except CheckError:
            return "simulator"
        return ""

    def harm(self, program: Program, runtime: Runtime) -> str:
        """What is wrong about a program that nobody refused; empty if nothing is."""
        try:
            check_legal(program, self.done.chip.pg.input_buffers)
            found = compare(execute(self.case.running(program), runtime))
        except CheckError as error:
            return str(error)
        if found.culprit >= 0:
            return f"{program.name(found.culprit)} makes a wrong number"
        both = zip(found.operators, self.right.operators, strict=True)
        moved = max(abs(a.relative - b.relative) for a, b in both)
        return f"numbers moved by {moved:.1e}" if moved > ROUNDING else ""


def check_legal(program: Program, input_buffers: int) -> None:
    """Raise CheckError where a unit does two things at once, or the order of effect is broken."""
    check_order(program, input_buffers)
    until, before = [0] * len(program.units), [-1] * len(program.units)
    for row in np.lexsort((program.start_ps + program.busy_ps, program.start_ps)).tolist():
        unit, start = int(program.unit[row]), int(program.start_ps[row])
        if start < until[unit]:
            problem = f"starts before {program.name(before[unit])} leaves their unit"
            raise CheckError("legal", program.name(row), problem)
        until[unit], before[unit] = start + int(program.busy_ps[row]), row


def shipped(
    chip: str,
    folder: Path,
    runtime: Runtime,
    *,
    decode: int = 0,
    sequences: int = 1,
    copies: int = 1,
) -> Case:
    """The shipped token-choice model: prefills of eight tokens."""
    tokens = 8 + decode
    ids = np.load(MODELS / "heldout.npz")["input_ids"][:sequences, :tokens]
    sized = load_chip(chip, SIZES)
    words: dict[str, Any] = {"dense_copies": copies, "scheduling": "compact"}
    path, inputs = MODELS / "token_choice.onnx", {"input_ids": ids}
    return case_of(runtime, path, inputs, sized, sequences, tokens, decode, **words)


def drawn(recipe: Recipe, folder: Path, runtime: Runtime) -> Case:
    """A recipe's program."""
    ready = read_recipe(recipe, folder, runtime)
    return case_of_recipe(ready, compile_recipe(ready))


Made = Callable[[Path, Runtime], Case]
SUBJECTS: dict[str, Made] = {
    "token choice, mux 2": lambda *of: shipped("hermes-mux2", *of),
    "token choice, mux 4, dense copies": lambda *of: shipped("hermes-mux4", *of, copies=2),
    "token choice, mux 2, a batch decoded": lambda *of: shipped(
        "hermes-mux2", *of, decode=2, sequences=2
    ),
    "tree of sums, broadcasts, dense copies": lambda *of: drawn(SHARED, *of),
    "tiles of queries": lambda *of: drawn(TILED, *of),
    "keys in buffers, a batch decoded": lambda *of: drawn(KEPT, *of),
}


def prepare(made: Made, folder: Path, runtime: Runtime) -> Subject:
    """Compile and execute a program as it is."""
    folder.mkdir()
    case = made(folder, runtime)
    assert isinstance(case.executable, Compiled)
    return Subject(case, case.executable, compare(execute(case, runtime)))


@dataclass(frozen=True)
class Verdict:
    """refused: by whom, empty if by nobody; harm: of a survivor.

    change: in words, of what the verifier let pass.
    """

    kind: str
    refused: str
    harm: str
    change: str


def changed(kind: str, p: Program, random: np.random.Generator) -> Program | None:
    """A program with a change of a kind; None where a hundred rows drawn admit none."""
    for _ in range(100):
        found = KINDS[kind](p, random)
        if found is not None and not same(found, p):
            return found
    return None


def judge(
    subject: Subject, kind: str, random: np.random.Generator, runtime: Runtime
) -> Verdict | None:
    """Make a change of a kind, and who refuses it; None where the program admits none."""
    program = changed(kind, subject.done.program, random)
    if program is None:
        return None
    refused = subject.refused_by(program)
    harm = "" if refused else subject.harm(program, runtime)
    told = changes(subject.done.program, program) if refused in ("", "simulator") else ""
    return Verdict(kind, refused, harm, told)


def changes(before: Program, after: Program) -> str:
    """The first row that differs in each column that does; `rows` where there are more or fewer."""
    if len(before) != len(after):
        return f"{len(after) - len(before)} rows"
    told: list[str] = []
    for name in (f.name for f in fields(before)):
        one, two = _rows(getattr(before, name)), _rows(getattr(after, name))
        odd = [row for row, pair in enumerate(zip(one, two, strict=True)) if pair[0] != pair[1]]
        told += [f"{before.name(row)} {name} {one[row]} -> {two[row]}" for row in odd[:2]]
    return "; ".join(told) or "a table"


def _rows(value: object) -> list[Any]:
    """A column's values row by row; of a table nothing."""
    match value:
        case Lists():
            return [value[row].tolist() for row in range(len(value))]
        case np.ndarray():
            return list(value.tolist())
        case _:
            return []


def table(verdicts: list[Verdict]) -> str:
    """By kind how many were tried, survived, were harmless; the checks that refused most."""
    lines = [f"{'kind':22}{'tried':>6}{'survived':>9}{'harmless':>9}  refused by"]
    for kind in [*KINDS, ""]:
        mine = [v for v in verdicts if kind in ("", v.kind)]
        by = Counter(v.refused for v in mine)
        survived = by.pop("", 0)
        harmless = survived - sum(bool(v.harm) for v in mine)
        told = ", ".join(f"{name} {count}" for name, count in by.most_common(3))
        others = by.total() - sum(count for _, count in by.most_common(3))
        told += f", others {others}" if others else ""
        lines.append(f"{kind or 'all':22}{len(mine):>6}{survived:>9}{harmless:>9}  {told}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Make the changes and print the table; 1 if a survivor does harm."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=1600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--survivors", action="store_true", help="name the harmless ones too")
    asked = parser.parse_args(argv)
    random, begun = np.random.default_rng(asked.seed), time.perf_counter()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder, Runtime() as runtime:
        subjects: list[Subject] = []
        for name, made in SUBJECTS.items():
            subjects.append(prepare(made, Path(folder) / str(len(subjects)), runtime))
            print(f"{name}: {len(subjects[-1].done.program)} instructions")
        for number in track(range(asked.changes), "changes", transient=True):
            kind = list(KINDS)[number % len(KINDS)]
            subject = subjects[number // len(KINDS) % len(subjects)]
            verdict = judge(subject, kind, random, runtime)
            verdicts += [verdict] if verdict else []
            if verdict and (verdict.harm or verdict.refused == "simulator" or asked.survivors):
                told = verdict.harm or verdict.refused or "harmless"
                if verdict.refused in ("", "simulator"):
                    print(f"change {number}, {kind}: {verdict.change}: {told}", flush=True)
    print(table(verdicts))
    print(f"{len(verdicts)} changes of seed {asked.seed}, {time.perf_counter() - begun:.0f} s")
    return 1 if any(v.harm for v in verdicts) else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How much of the verifier is tested: small changes of its code, and which of them nobody notices.

Every change of a comparison, condition, constant, operator or statement of `ir/verify` is made by
itself, and the changed verifier judges the programs of the tests (`tests/ir/verify/corpus.py`). A
change survives if all its answers are as before. What survives is printed, but for changes listed
in benchmarks/mutants/accepted.txt with the reason. The exit code is 1 if any is not listed.

With --solutions the same of what looks again at the answers of solvers and searches, before they
are taken (`benchmarks/mutants/solutions.py` lists it), by the tests of such answers.

The score is that of changes noticed among those not listed; of a sample, drawn by the text of the
change, with its 95 % interval. With --listed only those of the list are made: what is noticed after
all is printed, and has to leave the list.

    python -m benchmarks.mutants
    python -m benchmarks.mutants --module routing --module chains
    python -m benchmarks.mutants --one-of 10 --seed 3
    python -m benchmarks.mutants --solutions
    python -m benchmarks.mutants --listed
"""

import argparse
import math
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.mutants.accepted import accepted
from benchmarks.mutants.changes import Change
from benchmarks.mutants.judge import Reached, Subject, Verdict, judge, reached
from benchmarks.mutants.solutions import CHECKS, Solutions, is_check
from benchmarks.mutants.verifier import Verifier
from tests.ir.verify.corpus import judged

Z = 1.96  # of a normal distribution, 95 % are so many standard deviations from its mean


@dataclass(frozen=True)
class Row:
    """A module's changes: how many, of these noticed, listed as accepted, and what is left."""

    module: str
    made: int
    noticed: int
    listed: int
    left: tuple[Verdict, ...]

    def __add__(self, other: "Row") -> "Row":
        return Row(
            "all",
            self.made + other.made,
            self.noticed + other.noticed,
            self.listed + other.listed,
            self.left + other.left,
        )

    @property
    def score(self) -> tuple[float, float, float]:
        """Noticed of those not listed, and where that of all changes lies: fractions."""
        return wilson(self.noticed, self.noticed + len(self.left))


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """A fraction with its 95 % interval by Wilson's score; all of nothing is 1."""
    if not of:
        return 1.0, 0.0, 1.0
    p, z2 = hits / of, Z * Z
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z / (1 + z2 / of) * math.sqrt(p * (1 - p) / of + z2 / (4 * of * of))
    return p, max(0.0, middle - half), min(1.0, middle + half)


def sampled(module: str, one_of: int, seed: int) -> Callable[[Change], bool]:
    """Whether a change is in the sample: by its text, so that others do not move it."""

    def chosen(change: Change) -> bool:
        if module in CHECKS and not is_check(module, change):
            return False
        text = f"{seed} {module} {change.place} {change.words}"
        return zlib.crc32(text.encode()) % one_of == 0

    return chosen


def row_of(subject: Subject, lines: Reached, module: str, chosen: Callable[[Change], bool]) -> Row:
    """Judge a module's changes that are chosen."""
    known, name = accepted(), short(module)
    verdicts = list(judge(subject, lines, module, chosen))
    alive = [v for v in verdicts if v.survives]
    left = [v for v in alive if (name, v.change.place, v.change.words) not in known]
    noticed = len(verdicts) - len(alive)
    return Row(name, len(verdicts), noticed, len(alive) - len(left), tuple(left))


def noticed_of_listed(subject: Subject, lines: Reached, module: str) -> list[Change]:
    """Changes of a module that are listed as accepted, and that are noticed all the same."""
    known, name = accepted(), short(module)

    def chosen(change: Change) -> bool:
        return (name, change.place, change.words) in known

    return [v.change for v in judge(subject, lines, module, chosen) if not v.survives]


def short(module: str) -> str:
    """A module's name in the list of accepted changes."""
    return module.removeprefix("ir.verify.")


def line_of(row: Row, *, sample: bool) -> str:
    """A row of the table."""
    score, low, high = row.score
    text = f"{row.module:24}{row.made:8}{row.noticed:9}{row.listed:8}{len(row.left):6}{score:9.1%}"
    return text + (f"  {low:.1%} to {high:.1%}" if sample else "")


def main(argv: list[str] | None = None) -> int:
    """Judge the changes; print the table, and what survives. 1 if anything not listed does.

    Of listed changes 1 if any is noticed.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--module", action="append", default=[], help="this one, e.g. routing")
    parser.add_argument("--one-of", type=int, default=1, help="a sample: one change of so many")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--every", type=int, default=5, help="one of so many drawn right programs")
    parser.add_argument("--solutions", action="store_true", help="checks of solvers' answers")
    parser.add_argument("--listed", action="store_true", help="whether the accepted do survive")
    asked = parser.parse_args(argv)
    warnings.simplefilter("ignore")  # changed code divides by zero
    begun = time.perf_counter()
    subject: Subject = Solutions() if asked.solutions else Verifier(judged(asked.every))
    lines = reached(subject)
    modules = [m for m in subject.files if not asked.module or short(m) in asked.module]
    print(f"{len(subject)} questions, {time.perf_counter() - begun:.0f} s")
    if asked.listed:
        good = _print_listed(subject, lines, modules)
    else:
        good = _print_table(subject, lines, modules, asked.one_of, asked.seed)
    print(f"{time.perf_counter() - begun:.0f} s")
    return 0 if good else 1


def _print_table(
    subject: Subject, lines: Reached, modules: list[str], one_of: int, seed: int
) -> bool:
    """A row for each module, below it what is left; whether nothing is."""
    print(f"{'module':24}{'changes':>8}{'noticed':>9}{'listed':>8}{'left':>6}{'score':>9}")
    total = Row("all", 0, 0, 0, ())
    for module in modules:
        row = row_of(subject, lines, module, sampled(module, one_of, seed))
        print(line_of(row, sample=one_of > 1), flush=True)
        for verdict in row.left:
            print(_named(module, verdict.change), flush=True)
        total += row
    print(line_of(total, sample=one_of > 1))
    return not total.left


def _print_listed(subject: Subject, lines: Reached, modules: list[str]) -> bool:
    """The listed changes that are noticed; whether there is none."""
    found = 0
    for module in modules:
        for change in noticed_of_listed(subject, lines, module):
            found += 1
            print(_named(module, change), flush=True)
    print(f"{found} listed changes are noticed after all")
    return not found


def _named(module: str, change: Change) -> str:
    return f"  {short(module)}:{change.line} {change.place} | {change.words}"


if __name__ == "__main__":
    raise SystemExit(main())

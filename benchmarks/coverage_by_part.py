r"""Lines and branches that the tests go through, by part of the package, and which they do not.

Reads what `coverage json` writes. The verifier and what reads files should be covered in full, the
rest of ir/, compiler/ and backends/ to 95 %; the exit code is 1 where a part is below. Loops that
numba compiles are seen only where it does not, in small tests: the second command below, over half
an hour. What is left counts as not covered: `--left` lists it.

    coverage run -m pytest
    NUMBA_DISABLE_JIT=1 coverage run -m pytest tests/backends/test_joins.py \
        tests/backends/simulate/test_simulate_by_hand.py tests/backends/test_pace.py \
        tests/backends/simulate/test_replay_agrees.py tests/compiler/design/test_kernels.py \
        tests/compiler/grouping/test_companions.py tests/compiler/grouping/test_replicas.py \
        tests/compiler/placement/test_squares.py tests/compiler/placement/test_walk.py \
        tests/compiler/residency/test_brute_force.py \
        tests/compiler/timeline/test_list_schedule.py
    coverage combine
    coverage json -o coverage.json
    python -m benchmarks.coverage_by_part coverage.json --left
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FULL, MOST = 1.0, 0.95
# Parts in order: a file is of the first whose beginning it has.
PARTS: dict[str, tuple[tuple[str, ...], float]] = {
    "verifier": (("ir/verify/",), FULL),
    "loaders": (
        ("moexbar/files/", "ir/onnxdoor/", "ir/npz.py", "ir/infile.py", "ir/limits.py"),
        FULL,
    ),
    "ir": (("ir/",), MOST),
    "compiler": (("compiler/",), MOST),
    "backends": (("backends/",), MOST),
    "moexbar": (("moexbar/",), 0.0),
}


@dataclass(frozen=True)
class Covered:
    """Statements and branches of a file or part, and how many of these the tests go through.

    left: (file, line, line it would go to; 0: leaves the function) of each branch not taken.
    """

    statements: int = 0
    executed: int = 0
    branches: int = 0
    taken: int = 0
    left: tuple[tuple[str, int, int], ...] = ()

    def __add__(self, other: "Covered") -> "Covered":
        return Covered(
            self.statements + other.statements,
            self.executed + other.executed,
            self.branches + other.branches,
            self.taken + other.taken,
            self.left + other.left,
        )

    @property
    def share(self) -> float:
        """Of branches those that are taken; 1 where there are none."""
        return self.taken / self.branches if self.branches else 1.0


def covered(file: str, found: dict[str, Any]) -> Covered:
    """What a file's part of the report says."""
    told = found["summary"]
    left = tuple((file, int(a), max(int(b), 0)) for a, b in found["missing_branches"])
    return Covered(
        told["num_statements"],
        told["covered_lines"],
        told["num_branches"],
        told["covered_branches"],
        left,
    )


def by_part(report: dict[str, Any]) -> dict[str, Covered]:
    """Sums over the files of each part; of no part are others left out."""
    out = dict.fromkeys(PARTS, Covered())
    for file, found in sorted(report["files"].items()):
        part = next((p for p, (starts, _) in PARTS.items() if file.startswith(starts)), None)
        if part is not None:
            out[part] += covered(file, found)
    return out


def table(parts: dict[str, Covered]) -> str:
    """Parts with what is asked of them."""
    lines = [f"{'part':10}{'lines':>16}{'branches':>16}{'share':>9}{'asked':>8}"]
    for name, part in parts.items():
        executed = f"{part.executed} of {part.statements}"
        taken = f"{part.taken} of {part.branches}"
        asked = PARTS[name][1]
        wanted = f"{asked:.0%}" if asked else ""
        lines.append(f"{name:10}{executed:>16}{taken:>16}{part.share:>9.1%}{wanted:>8}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 if a part is below what is asked of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, help="what `coverage json` wrote")
    parser.add_argument("--left", action="store_true", help="list the branches not taken")
    asked = parser.parse_args(argv)
    parts = by_part(json.loads(asked.report.read_text(encoding="utf-8")))
    print(table(parts))
    for name, part in parts.items() if asked.left else ():
        if PARTS[name][1] == FULL:
            for file, line, to in part.left:
                print(f"{file}:{line} -> {to or 'end'}")
    return int(any(part.share < PARTS[name][1] for name, part in parts.items()))


if __name__ == "__main__":
    raise SystemExit(main())

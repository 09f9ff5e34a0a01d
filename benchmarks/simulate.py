"""How fast the simulator replays and re-runs a program, and what the machine itself can do.

    python -m benchmarks.simulate DIR [DIR ...]     # outputs of `moexbar compile`

The baseline in the same table is the least any replay must do on this machine: a sort of as many
64-bit numbers as there are instructions, and one numpy gather over all reads.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from backends.simulate import Waits, replay, run
from ir.program import Program
from moexbar.console import out, table
from moexbar.files.chip_file import read_folder_chip
from moexbar.files.program_file import read_program

ROUNDS = 3


def seconds(job: Callable[[], object]) -> float:
    """The best of a few rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - begun)
    return best


def baseline(program: Program) -> Callable[[], object]:
    """Sort the start times, gather the end of every value read."""

    def job() -> object:
        np.argsort(program.start_ps, kind="stable")
        return program.end_ps[program.reads.values]

    return job


def measure(folder: Path) -> list[tuple[str, float, float]]:
    """(what, seconds, million instructions a second) of one program."""
    program, chip = (
        read_program(folder / "program.parquet"),
        read_folder_chip(folder / "report.json"),
    )
    given = replay(program, chip)
    again = run(program, chip, program.duration_ps, program.busy_ps)
    if np.any(given.late_ps) or not np.array_equal(again.program.start_ps, program.start_ps):
        raise SystemExit(f"{folder}: the simulator's times are not the scheduler's")
    jobs: dict[str, Callable[[], object]] = {
        "baseline (sort, gather)": baseline(program),
        "replay": lambda: replay(program, chip),
        "run": lambda: run(program, chip, program.duration_ps, program.busy_ps),
        "waits, all causes and pairs": lambda: Waits(given).pairs(),
    }
    found = [(name, seconds(job)) for name, job in jobs.items()]
    return [(name, took, len(program) / took / 1e6) for name, took in found]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    shown = table("program", "what", "instructions", "seconds", "million / s", left=2)
    begun = time.perf_counter()
    for number, folder in enumerate(parser.parse_args(argv).folders):
        rows = len(read_program(folder / "program.parquet"))
        if number == 0:  # compile the loops, or load them from where an earlier process kept them
            measure(folder)
            warm = time.perf_counter() - begun
        for what, took, rate in measure(folder):
            shown.add_row(folder.name, what, str(rows), f"{took:.4f}", f"{rate:.2f}")
    console = out()
    console.print(shown)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"{os.cpu_count()} processors; first pass {warm:.1f} s; peak {peak:.2f} GiB")
    console.print("all times equal the scheduler's, to the picosecond")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

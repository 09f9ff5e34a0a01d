"""Two commands that write the same folder at once: one does, the other ends with exit 3.

python -m benchmarks.races --times 50
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.interrupts import commands
from benchmarks.runs import TRACE, Run, digest, strays, told, whole

BUSY = 3
RACERS = ("compile", "compare", "design", "explore")
VARYING = ("times.json", "timings.csv", "journal.sqlite")


def steady(folder: Path) -> dict[str, str]:
    """The files of an output, with their hashes where these are the same from every run."""
    found = digest(folder)
    measured = "compare.json" in found  # which has times in it
    return {n: "" if measured or n.endswith(VARYING) else sha for n, sha in found.items()}


def raced(
    words: tuple[str, ...], folder: Path, gap_s: float, expected: dict[str, str]
) -> list[str]:
    """What is wrong with two runs, the second of which begins a little later."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    first = Run(words, folder)
    time.sleep(gap_s)
    second = Run(words, folder)
    ended = [run.end(300) for run in (first, second)]
    codes = sorted(one.code for one in ended)
    faults = [fault for one in ended for fault in one.wrong()]
    if codes != [0, BUSY]:
        faults.append(f"exits {codes}: {ended[0].err[-150:]} {ended[1].err[-150:]}")
    if steady(folder / "out") != expected:
        faults.append("the output is not that of one run")
    return faults + [f"left {name}" for name in strays(folder)]


def main(argv: list[str] | None = None) -> int:
    """Race each command with itself; 1 where both write, or the output is not whole."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=50, help="races of all commands together")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    draw, failed = random.Random(given.seed), 0  # noqa: S311 - moments
    with tempfile.TemporaryDirectory(prefix="races-") as made:
        folder = Path(made)
        whole(["profile", *TRACE, "-o", "trace.npz"], folder)
        for place, name in enumerate(RACERS):
            words = commands(folder)[name].words
            shutil.rmtree(folder / "out", ignore_errors=True)
            whole(words, folder)
            expected, faults = steady(folder / "out"), list[str]()
            many = len(range(place, given.times, len(RACERS)))
            for _ in range(many):
                faults += raced(words, folder, draw.uniform(0, 0.3), expected)
            failed |= told(f"two writers, {name}", faults, many)
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""Interrupt commands by Ctrl-C and SIGTERM at random moments: what is finished must not be lost.

Each run must end within 5 s of the signal with 130 or 143, without a traceback, a process, or a
stray file, and leave the earlier output as it was, or a new one that is whole. What it keeps:
`group` prints groups of every layer once its search has begun, `compare` its answers until then,
`explore` all points of its journal in the table, `compile` and `design` nothing.

    python -m benchmarks.interrupts --times 50
"""

import argparse
import csv
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.runs import SMALL, TRACE, Ended, Run, digest, moments, strays, told, whole
from ir.errors import InputError
from moexbar.files.output import read_output
from tests.paths import TINY

MOST_S = 5.0
LARGEST = 1 << 30  # bytes of a file
SWEEP = f"""
model = "{TINY / "model.onnx"}"
inputs = "{TINY / "inputs.npz"}"
prefill = 16
[vary]
"chip.pg.mux" = [1, 2, 4, 8]
"chip.bus.transfers_per_slot" = [2, 4, 8]
"""
Kept = Callable[[Ended, bool, Path], list[str]]


@dataclass(frozen=True)
class Command:
    """A command, whether an earlier output of it is there, and what it must have kept."""

    words: tuple[str, ...]
    before: bool
    kept: Kept


def nothing(ended: Ended, begun: bool, out: Path) -> list[str]:
    """Of a command that has no partial results."""
    return [f"printed {ended.out[:60]!r}"] if ended.out else []


def groups(ended: Ended, begun: bool, out: Path) -> list[str]:
    """Once the search has begun, groups of both layers."""
    if not ended.out:
        return ["no groups were printed"] if begun else []
    layers = [row["layer"] for row in json.loads(ended.out)["layers"]]
    return [] if layers == [1, 3] else [f"groups of layers {layers}"]


def answers(ended: Ended, begun: bool, out: Path) -> list[str]:
    """Once the search has begun, a report: of all answers, or it says that it was interrupted."""
    if not ended.out:
        return ["no report was printed"] if begun else []
    told, earlier = json.loads(ended.out), json.loads((out / "compare.json").read_text())
    every = _answered(told) == _answered(earlier)  # then pictures were being drawn
    return [] if told["interrupted"] or every else ["not said to be interrupted"]


def _answered(report: dict[str, Any]) -> list[list[str]]:
    return [[row["solver"] for row in layer["solvers"]] for layer in report["layers"]]


def points(ended: Ended, begun: bool, out: Path) -> list[str]:
    """The table has the points that the journal has, and it is said how to go on."""
    faults = [] if "--resume goes on" in ended.err or not begun else ["not said how to go on"]
    import sqlite3

    journal, table = out / "journal.sqlite", out / "results.csv"
    if not journal.exists() or not table.exists():
        return faults + (["no table of what is done"] if journal.exists() and begun else [])
    base = sqlite3.connect(journal)
    done = base.execute("SELECT count(*) FROM points").fetchone()[0]
    base.close()
    with table.open(newline="") as file:
        rows = len(list(csv.DictReader(file)))
    return faults + ([] if rows == done else [f"{rows} rows of {done} points"])


def replaced(out: Path) -> bool:
    """Whether an output is as its manifest says: then the signal came after it was put in place."""
    try:
        output = read_output(out, ("compile", "compare", "design"))
        for name in output.digests or ():
            output.file(name).read("a file of it", LARGEST)
    except InputError:
        return False
    return True


def commands(folder: Path) -> dict[str, Command]:
    """All that are interrupted; `trace.npz` and `sweep.toml` are in the folder."""
    asked = "trace.npz --window 64 --processes 2 --json".split()
    (folder / "sweep.toml").write_text(SWEEP)
    design = "--latency 1000 --json -o out".split()
    return {
        "compile": Command(("compile", *SMALL, "-o", "out"), True, nothing),
        "group": Command(("group", *asked, "--time", "3"), False, groups),
        "compare": Command(("compare", *asked, "--time", "1", "-o", "out"), True, answers),
        "design": Command(("design", *SMALL, *design), True, nothing),
        "explore": Command(("explore", "sweep.toml", "-o", "out"), False, points),
    }


def interrupted(one: Command, number: int, moment: float, group: bool, old: Path) -> list[str]:
    """What is wrong with a run that gets a signal at a moment after it begins to handle them."""
    with tempfile.TemporaryDirectory(prefix="interrupts-") as made:
        folder = Path(made)
        for path in old.iterdir():
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
        out, before = folder / "out", digest(folder / "out")
        run = Run(one.words, folder)
        if not run.handled():
            return ["ended by itself"]
        time.sleep(moment)
        begun = any("spawn_main" in words for words in run.family())
        running = run.process.poll() is None
        run.send(number, group=group)
        ended = run.end()
        faults = ended.wrong()
        if not running or ended.code == 0:  # it was done, or all but done
            return faults
        if ended.code != 128 + number:
            faults.append(
                f"exit {ended.code}: {ended.err.strip()[: 1500 if ended.code < 0 else 200]}"
            )
        if ended.seconds > MOST_S:
            faults.append(f"took {ended.seconds:.1f} s")
        if left := strays(folder):
            faults.append(f"left {left}")
        if one.before and digest(out) != before and not replaced(out):
            faults.append("the earlier output is no longer as it was, nor is there a whole new one")
        return faults + one.kept(ended, begun, out)


def main(argv: list[str] | None = None) -> int:
    """Interrupt every command so many times by each signal; 1 where anything is lost or left."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=50, help="of each command and signal")
    parser.add_argument("--only", help="one command")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    draw, failed = random.Random(given.seed), 0  # noqa: S311 - who gets the signal
    with tempfile.TemporaryDirectory(prefix="interrupts-") as made:
        folder = Path(made)
        whole(["profile", *TRACE, "-o", "trace.npz"], folder)
        for name, one in commands(folder).items():
            if given.only not in (None, name):
                continue
            _, took = whole(one.words, folder)
            if not one.before:
                shutil.rmtree(folder / "out", ignore_errors=True)
            for number in (signal.SIGINT, signal.SIGTERM):
                faults = list[str]()
                for moment in moments(given.seed, given.times, took):
                    wrong = interrupted(one, number, moment, draw.random() < 0.5, folder)
                    faults += [f"after {moment:.2f} s: {fault}" for fault in wrong]
                failed |= told(f"{name}, {signal.Signals(number).name}", faults, given.times)
            shutil.rmtree(folder / "out", ignore_errors=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""Kill sweeps, and the processes that work for them, at random moments: nothing done is lost.

A sweep that is killed (SIGKILL) keeps every point that its journal had before, has no torn file,
and comes to the same table as an undisturbed one when it is gone on with; what the killed runs left
beside it is gone then. Where a worker is killed, of this machine's or a Dask cluster's, every point
ends as done or as failed with the reason.

    python -m benchmarks.kills --sweeps 100 --workers 100
"""

import argparse
import csv
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.explore import cluster
from benchmarks.interrupts import SWEEP
from benchmarks.runs import MARK, Ended, Run, family, kill, strays, told, whole

TABLES = ("results.parquet", "results.csv", "manifest.json")
WORKER = "spawn_main"  # in the command of a process of a pool
FEW_S = 0.02
JOURNAL = "journal.sqlite"


def done(out: Path) -> int:
    """Points in a journal, 0 where there is none yet."""
    try:
        base = sqlite3.connect(f"file:{out / JOURNAL}?mode=ro", uri=True)
    except sqlite3.Error:
        return 0
    try:
        return int(base.execute("SELECT count(*) FROM points").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        base.close()


def tables(out: Path) -> list[bytes]:
    """What must be the same, however the sweep came to its end."""
    return [(out / name).read_bytes() for name in TABLES]


def words(out: Path) -> tuple[str, ...]:
    """The command that begins the sweep, or goes on with it."""
    resume = ("--resume",) if (out / "manifest.json").exists() else ()
    return ("explore", "sweep.toml", "-o", out.name, "--processes", "2", *resume)


def sweeps(folder: Path, times: int, draw: random.Random, base: list[bytes], took: float) -> int:
    """Kill a sweep at so many moments, some of them in one sweep after another."""
    faults, killed, out, before = list[str](), 0, folder / "killed", 0
    while killed < times:
        run = Run(words(out), folder)
        run.handled()
        time.sleep(draw.uniform(0, took / 2))
        acknowledged, running = done(out), run.process.poll() is None
        run.send(signal.SIGKILL)
        ended = run.end()
        killed += running
        faults += [fault for fault in ended.wrong() if not running or "Traceback" not in fault]
        if acknowledged < before or done(out) < acknowledged:
            faults.append(f"kill {killed}: {done(out)} points, {acknowledged} were acknowledged")
        before = acknowledged
        if not running or killed == times:
            faults += [f"kill {killed}: {fault}" for fault in _gone_on(out, folder, base)]
            shutil.rmtree(out, ignore_errors=True)
            before = 0
    return told("kill -9 of a sweep", faults, killed)


def _gone_on(out: Path, folder: Path, base: list[bytes]) -> list[str]:
    """What is wrong with a sweep that is gone on with to its end."""
    ended = Run(words(out), folder).end(600)
    if ended.code:
        return [f"exit {ended.code} of --resume: {ended.err[-300:]}"]
    faults = [] if tables(out) == base else ["another table than the undisturbed sweep's"]
    left = [*strays(folder), *strays(out)]
    return faults + ([f"left {left}"] if left else [])


def workers(folder: Path, times: int, draw: random.Random, address: str | None) -> int:
    """Kill so many processes that work for sweeps."""
    faults, killed, where = list[str](), 0, "Dask" if address else "the local pool"
    while killed < times:
        out = folder / "worked"
        more = ("--processes", "2") if address is None else ("--cluster", address)
        run = Run(("explore", "sweep.toml", "-o", out.name, *more), folder)
        while run.process.poll() is None and killed < times:
            time.sleep(draw.uniform(0.1, 1.5))
            mark = run.mark if address is None else os.environ[MARK]
            victims = [pid for pid, command in family(mark) if WORKER in command]
            begun = address is None or (out / JOURNAL).exists()  # a cluster of none is not begun on
            if begun and victims and run.process.poll() is None:
                killed += kill(draw.choice(victims))
        faults += _told_of_all(run.end(300), out)
        shutil.rmtree(out, ignore_errors=True)
    return told(f"worker kills, {where}", faults, killed)


def _told_of_all(ended: Ended, out: Path) -> list[str]:
    """What is wrong with a sweep whose workers were killed: each point is done or has a reason."""
    faults = ended.wrong()
    if ended.code not in (0, 2) or not (out / "results.csv").exists():
        return [*faults, f"exit {ended.code}: {ended.err[-300:]}"]
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != 12:
        faults.append(f"{len(rows)} points of 12")
    silent = [row["point"] for row in rows if row["status"] != "done" and not row["reason"]]
    return faults + ([f"points {silent} failed without a reason"] if silent else [])


def main(argv: list[str] | None = None) -> int:
    """Kill sweeps and workers; 1 where anything is lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=100, help="kills of sweeps")
    parser.add_argument("--workers", type=int, default=100, help="kills of workers, local and Dask")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    draw, failed = random.Random(given.seed), 0  # noqa: S311 - moments
    with tempfile.TemporaryDirectory(prefix="kills-") as made:
        folder = Path(made)
        (folder / "sweep.toml").write_text(SWEEP)
        if given.sweeps:
            _, took = whole(words(folder / "base"), folder)
            base = tables(folder / "base")
            failed |= sweeps(folder, given.sweeps, draw, base, took)
        if given.workers:
            failed |= workers(folder, given.workers, draw, None)
            os.environ[MARK] = f"dask-{os.getpid()}"
            with cluster(folder) as address:
                failed |= workers(folder, given.workers, draw, address)
    return failed


if __name__ == "__main__":
    sys.exit(main())

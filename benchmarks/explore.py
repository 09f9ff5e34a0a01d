"""Sweeps whole, killed and on a cluster: the same table, and the CPU of as many single commands.

    python -m benchmarks.explore [--only shipped|llama] [--llama FOLDER] [--alone N]

FOLDER is what `moexbar example llama-moe-3.5b -o FOLDER` writes; without it LLaMA-MoE is left out.
"""

import argparse
import csv
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moexbar.report.methods import MethodRow
from moexbar.report.reading import read_report

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "examples" / "models"
SHIPPED = f"""
model = "{MODELS / "token_choice.onnx"}"
inputs = "{MODELS / "heldout.npz"}"
prefill = 128
[vary]
"chip.pg.mux" = [1, 2, 4, 8]
"chip.bus.transfers_per_slot" = [2, 4, 8, 16, "auto"]
"chip.bus.return_lanes" = [1, 2]
"chip.mvm.read_ns" = [30, 60, 90, 130, 260]
"""
LLAMA = """
model = "{0}/llama-moe-3.5b.onnx"
routing = "{0}/routing.npz"
prefill = 32
[vary]
"chip.pg.mux" = [1, 2, 4]
"chip.bus.transfers_per_slot" = [2, 4, 8, 16, 32]
"chip.bus.return_lanes" = [1, 2]
"chip.pg.input_buffers" = [1, 2]
"""
KILLS = 3


@dataclass(frozen=True)
class Took:
    """Seconds of a command, of the clock and of processors, its children's too."""

    wall_s: float
    cpu_s: float


def moexbar(*words: str, folder: Path = ROOT) -> Took:
    """Run a command to its end, which must be a good one."""
    begun = time.perf_counter()
    process = _begun(words, folder)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"moexbar {shlex.join(words)}: exit {process.returncode}")
    return Took(time.perf_counter() - begun, used.ru_utime + used.ru_stime)


def _begun(words: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    there = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "moexbar", *words]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, env=there, stdout=quiet, stderr=quiet)


def killed(sweep: Path, out: Path, whole_s: float, seed: int) -> list[float]:
    """Kill a sweep at random moments, each time resumed, then let it end; the moments, s."""
    drawn = random.Random(seed)  # noqa: S311 - moments
    moments = [drawn.uniform(0.05, 0.4) * whole_s for _ in range(KILLS)]
    for moment in moments:
        resume = ("--resume",) if out.exists() else ()
        with _begun(("explore", str(sweep), "-o", str(out), *resume), ROOT) as process:
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
    moexbar("explore", str(sweep), "-o", str(out), "--resume")
    return moments


AGAIN = "import subprocess, sys\nwhile True: subprocess.run(sys.argv[1:], check=False)"


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[str]:
    """The address of a Dask scheduler with so many workers on this machine.

    Dask begins a worker that died again, but not one that dies while it begins: then all of them
    are begun again.
    """
    there = os.environ | {"PYTHONPATH": str(ROOT)}
    file = folder / "scheduler.json"
    of = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    many = ["--nworkers", str(workers), "--nthreads", "1"]
    commands = [["distributed.cli.dask_scheduler", "--port", "0"], ["distributed.cli.dask_worker"]]
    begun = list[subprocess.Popen[bytes]]()
    try:
        for words, more in zip(commands, ([], many), strict=True):
            command = [sys.executable, "-c", AGAIN, sys.executable, "-m", *words, *of, *more]
            quiet = subprocess.DEVNULL
            begun.append(subprocess.Popen(command, env=there, stderr=quiet, start_new_session=True))
            while not file.exists():
                time.sleep(0.1)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in reversed(begun):
            process.kill()
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        file.unlink(missing_ok=True)


def alone(out: Path, folder: Path, many: int) -> tuple[float, bool]:
    """CPU of a point's own command in the mean of some, s; whether all figures were the same."""
    with (out / "results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["status"] == "done"]
    cpu, same = 0.0, True
    for row in rows[:: max(1, len(rows) // many)][:many]:
        words = shlex.split(row["command"])[1:]
        target = folder / words[-1]
        cpu += moexbar(*words, "--write", "report", folder=folder).cpu_s
        same &= _time_us(target) == float(row["time_us"])
    return cpu / many, same


def _time_us(target: Path) -> float:
    ours = read_report(target / "report.json").methods[-1]
    assert isinstance(ours, MethodRow)
    return ours.time_ns / 1e3


def tables(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in ("results.parquet", "results.csv")]


def measured(name: str, text: str, folder: Path, many: int, seed: int) -> None:
    """One line per run of a sweep."""
    sweep, whole = folder / f"{name}.toml", folder / f"{name}-whole"
    sweep.write_text(text)
    took = moexbar("explore", str(sweep), "-o", str(whole))
    base = tables(whole)
    points = base[1].count(b"\n") - 1
    size = sum(map(len, base))
    print(
        f"{name}: {points} points in {took.wall_s:.0f} s, {took.cpu_s:.0f} s of CPU, {size} bytes"
    )
    each, same = alone(whole, folder, many)
    ratio = each * points / took.cpu_s
    print(f"  alone: {each:.2f} s of CPU each in the mean of {many}, figures the same: {same}")
    print(f"  CPU of as many alone over that of the sweep: {ratio:.1f}", flush=True)
    moments = killed(sweep, folder / f"{name}-killed", took.wall_s, seed)
    at = ", ".join(f"{moment:.1f}" for moment in moments)
    same = tables(folder / f"{name}-killed") == base
    print(f"  killed after {at} s, each time resumed: the same bytes: {same}", flush=True)
    with cluster(folder) as address:
        out = folder / f"{name}-cluster"
        dask = moexbar("explore", str(sweep), "-o", str(out), "--cluster", address)
    print(f"  on Dask, two workers: {dask.wall_s:.0f} s, the same bytes: {tables(out) == base}")


def main(argv: list[str] | None = None) -> int:
    """Measure the sweeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("shipped", "llama"))
    parser.add_argument("--llama", type=Path, help="folder of `moexbar example llama-moe-3.5b`")
    parser.add_argument("--alone", type=int, default=5, help="points compiled alone, of each sweep")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    given = parser.parse_args(argv)
    sweeps = {"shipped": SHIPPED}
    if given.llama is not None:
        sweeps["llama"] = LLAMA.format(given.llama.resolve())
    with tempfile.TemporaryDirectory(prefix="explore-") as made:
        for name, text in sweeps.items():
            if given.only in (None, name):
                measured(name, text, Path(made), given.alone, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What is promised in seconds, and what it takes on this machine.

    python -m benchmarks.promises [--only llama]

Processor seconds, but those from Ctrl-C to the answer, which are a clock's. 1 if any is above what
is promised. A test does not look at these: another program beside it would make it fail.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from compiler import solver
from compiler.options import SolverOptions
from ir.errors import InputError
from moexbar.chips import load_chip
from moexbar.console import out, table
from moexbar.examples.catalogue import EXAMPLES
from moexbar.files.routing_file import load_routing

USE = "u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
MAIN = "from moexbar.__main__ import main; assert main(sys.argv[1:]) == 0"
READ = "from compiler.frontend import read_model; read_model(sys.argv[1])"


def processor_seconds(code: str, *words: object) -> float:
    """Of a new Python that runs `code` with these arguments, its start among them."""
    done = subprocess.run(
        [sys.executable, "-c", f"import resource, sys\n{code}\n{USE}", *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.splitlines()[-1])


def write_example(name: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return processor_seconds(MAIN, "example", name, "-o", f"{folder}/e", "--json")


def read_example(name: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        processor_seconds(MAIN, "example", name, "-o", f"{folder}/e", "--json")
        return processor_seconds(READ, f"{folder}/e/{name}.onnx")


def compile_example(name: str) -> float:
    """512 tokens, without the baselines, which take three times as long."""
    with tempfile.TemporaryDirectory() as folder:
        processor_seconds(MAIN, "example", name, "-o", f"{folder}/e", "--json")
        words = [f"{folder}/e/{name}.onnx", "--routing", f"{folder}/e/routing.npz"]
        words += ["--prefill", "512", "--no-baselines", "--json", "-o", f"{folder}/out"]
        return processor_seconds(MAIN, "compile", *words)


def refuse_chip() -> float:
    """64 KiB of different keys with 32 dots each, the most that reaches the parser."""
    lines: list[str] = []
    while sum(len(line) for line in lines) < 64_000:
        lines.append(f"a{len(lines)}." + "b." * 31 + "c = 1\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "evil.toml"
        path.write_text("".join(lines))
        begun = time.process_time()
        try:
            load_chip(str(path))
        except InputError:
            return time.process_time() - begun
    raise SystemExit("the chip file was accepted")


def refuse_trace() -> float:
    """An archive that inflates a thousandfold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bomb.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("choices.npy", bytes(2**28))
        begun = time.process_time()
        try:
            load_routing(path)
        except InputError:
            return time.process_time() - begun
    raise SystemExit("the trace was accepted")


def stop_a_solve() -> float:
    """Seconds of a clock from Ctrl-C, one second into a search, to its best answer."""
    model = solver.cp_model.CpModel()
    sizes = [(7919 * (i + 3) ** 2) % 10007 + 5000 for i in range(81)]
    rows = [[model.new_bool_var(f"{i}.{g}") for g in range(9)] for i in range(81)]
    top, low = (model.new_int_var(0, sum(sizes), name) for name in ("top", "low"))
    for row in rows:
        model.add_exactly_one(row)
    for g in range(9):
        load = sum(size * row[g] for size, row in zip(sizes, rows, strict=True))
        model.add(load <= top)
        model.add(load >= low)
    model.minimize(7 * top - 5 * low)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    begun = time.monotonic()
    try:
        solver.solve(model, rows[0], SolverOptions(time_s=1e6, wall_s=60))
    except solver.SolveInterrupted:
        return time.monotonic() - begun - 1.0
    raise SystemExit("the search ended before it was stopped")


PROMISES: dict[str, tuple[float, Callable[[], float]]] = {
    **{f"write {name}": (30, partial(write_example, name)) for name in EXAMPLES},
    **{f"read {name}": (20, partial(read_example, name)) for name in EXAMPLES},
    "compile llama-moe-3.5b": (40, partial(compile_example, "llama-moe-3.5b")),
    "refuse a chip file": (2, refuse_chip),
    "refuse a zip bomb": (1, refuse_trace),
    "stop a solve": (5, stop_a_solve),
}


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those with this in their name")
    only, shown, late = parser.parse_args(argv).only, table("what", "promised s", "s"), 0
    for what, (promised, measure) in PROMISES.items():
        if only in what:
            took = measure()
            late += took > promised
            shown.add_row(what, f"{promised:g}", f"{took:.2f}")
    out().print(shown)
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())

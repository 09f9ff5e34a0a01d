"""Artifacts byte by byte over models, options and environments: equal commands write equal files.

Each case is profiled, compiled with all files, and its page and a figure are drawn, in seven
environments: plainly, again into the same folder, with another hash seed, elsewhere, with another
time zone and language, on one core, and beside other work. Times are left out: times.json.

    python -m benchmarks.same_bytes
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.runs import digest, told
from moexbar.__main__ import main as moexbar
from tests.compiler.frontend import models as m
from tests.paths import MODELS, ROOT, TINY

EVERYTHING = "report,program,mapping,routing,listing,trace,annotated,page"
OF_THIS_RUN = ("times.json", "timings.csv", "journal.sqlite")
TINY_CASES = {
    "tiny": "--prefill 32",
    "all methods": "--prefill 8 --baselines all",
    "decode": "--prefill 16 --decode 4",
    "batch": "--prefill 8 --batch 2",
    "mux 4": "--prefill 32 --chip hermes-mux4",
    "on the tiny chip": "--prefill 16 --chip tiny",
    "stacks": "--prefill 16 --stacks cp-sat",
    "dies": "--prefill 16 --set die.width_mm=4 --set die.height_mm=4 --set link.kind=ucie-2.5d",
    "replicas": "--prefill 16 --replicas 2",
    "squares": "--prefill 16 --placement squares",
    "column generation": "--prefill 16 --scheduling column-generation",
    "bands": "--prefill 8 --bands --draws 2",
    "jitter": "--prefill 8 --jitter 2",
    "matching": "--prefill 16 --grouping matching",
}
BLOCKS = {
    "dense": m.dense_masked(),
    "gathered": m.gather_batched(),
    "expert choice": m.expert_choice(),
    "one by one": m.per_expert_gather,
}
SHIPPED = {"token_choice": "--prefill 16", "expert_choice": "--prefill 16"}
SWEEP = """model = "tiny.onnx"
inputs = "tiny.npz"
prefill = 8
[vary]
"chip.pg.mux" = [2, 4]
"""


@dataclass(frozen=True)
class Environment:
    """Where and how the commands run."""

    name: str
    folder: str = "a"
    more: Mapping[str, str] = field(default_factory=dict[str, str])
    launch: tuple[str, ...] = ()
    load: int = 0


ENVIRONMENTS = (
    Environment("plainly"),
    Environment("again"),
    Environment("another hash seed", "b", {"PYTHONHASHSEED": "77"}),
    Environment("elsewhere", "a folder of another name/below"),
    Environment("time zone and language", "b", {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8"}),
    Environment("one core", "b", {}, ("taskset", "-c", "0")),
    Environment("beside other work", "b", {}, (), 3),
)


def cases(names: list[str] | None = None) -> dict[str, tuple[str, str]]:
    """{name: (model, options of compile)}; the first word of the name tells them apart in paths."""
    found = {name: ("tiny", words) for name, words in TINY_CASES.items()}
    found |= {name: (name, "--prefill 8 --chip tiny --set pg.mux=2") for name in BLOCKS}
    found |= {name: (name, words) for name, words in SHIPPED.items()}
    return {name: one for name, one in found.items() if names is None or name in names}


def models(folder: Path) -> None:
    """All models and their inputs, as NAME.onnx and NAME.npz."""
    shutil.copy(TINY / "model.onnx", folder / "tiny.onnx")
    shutil.copy(TINY / "inputs.npz", folder / "tiny.npz")
    for name in SHIPPED:
        shutil.copy(MODELS / f"{name}.onnx", folder)
        shutil.copy(MODELS / "heldout.npz", folder / f"{name}.npz")
    for name, block in BLOCKS.items():
        m.write(folder, [block, block], name)
        np.savez(folder / f"{name}.npz", **m.token_ids())
    (folder / "sweep.toml").write_text(SWEEP)


def commands(name: str, model: str, options: str) -> Iterator[list[str]]:
    """What makes the artifacts of a case, in the folder of the models."""
    given, out = [f"{model}.onnx", "--inputs", f"{model}.npz"], f"out {name}"
    yield ["profile", *given, "-o", f"{name}.routing.npz"]
    baselines = [] if "--baselines" in options else ["--no-baselines"]
    yield ["compile", *given, *options.split(), *baselines, "--write", EVERYTHING, "-o", out]
    yield ["report", out, "-o", f"{name}.html"]
    yield ["plot", out, "methods", "-o", f"{name}.svg"]


def once() -> Iterator[list[str]]:
    """What is made of one model alone."""
    given = ["tiny.onnx", "--inputs", "tiny.npz", "--prefill", "16"]
    yield ["design", *given, "--latency", "1000", "-o", "out design"]
    yield ["report", "out design"]
    swept = ["explore", "sweep.toml", "-o", "out explore", "--processes", "2"]
    yield [*swept, "--resume"] if Path("out explore").is_dir() else swept
    yield ["report", "out explore"]


def carry_out(names: list[str]) -> int:
    """Run all commands of these cases here, in one process; the worst exit code."""
    worst = 0
    for name, (model, options) in cases(names).items():
        for words in commands(name, model, options):
            worst = max(worst, _run(words))
    if "tiny" in names:
        for words in once():
            worst = max(worst, _run(words))
    return worst


def _run(words: list[str]) -> int:
    told = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
        code = moexbar(words)
    if code:
        print(f"exit {code}: {' '.join(words)}: {told.getvalue()[-300:]}", file=sys.stderr)
    return code


@contextmanager
def other_work(many: int) -> Iterator[None]:
    """So many busy processes meanwhile."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(many)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def artifacts(made: Path, one: Environment, names: list[str]) -> dict[str, str]:
    """Hashes of all that an environment makes, but for times."""
    folder = made / one.folder
    folder.mkdir(parents=True, exist_ok=True)
    if one.name != "again":
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        models(folder)
    there = os.environ | {"PYTHONPATH": str(ROOT)} | dict(one.more)
    words = [
        *one.launch,
        sys.executable,
        "-m",
        "benchmarks.same_bytes",
        "--here",
        json.dumps(names),
    ]
    with other_work(one.load):
        subprocess.run(words, cwd=folder, env=there, check=True)
    return {name: sha for name, sha in digest(folder).items() if not name.endswith(OF_THIS_RUN)}


def main(argv: list[str] | None = None) -> int:
    """Compare every environment with the first; 1 where a file differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="*", default=list(cases()), help="some of them, by name")
    parser.add_argument("--environments", nargs="*", help="some of them, by name")
    parser.add_argument("--here", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.here is not None:
        return carry_out(given.here)
    chosen = [e for e in ENVIRONMENTS if not given.environments or e.name in given.environments]
    faults, files = list[str](), 0
    with tempfile.TemporaryDirectory(prefix="same-bytes-") as made:
        base = artifacts(Path(made), chosen[0], given.cases)
        for one in chosen[1:]:
            found = artifacts(Path(made), one, given.cases)
            files = len(found)
            unlike = [
                name for name in base.keys() | found.keys() if base.get(name) != found.get(name)
            ]
            faults += [f"{one.name}: {name}" for name in sorted(unlike)]
    what = f"{len(given.cases)} cases, {files} files, {len(chosen)} environments"
    return told(what, faults, len(chosen) * len(given.cases))


if __name__ == "__main__":
    sys.exit(main())

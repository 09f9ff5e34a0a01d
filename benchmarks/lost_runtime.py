"""Kill ONNX Runtime's process at random moments, and take memory away: the same answer or a reason.

python -m benchmarks.lost_runtime --kills 100 --limits 20
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.runs import SMALL, Run, digest, family, kill, limited, moments, told, whole
from tests.paths import TINY

GIVEN = SMALL[:3]
CHILD = "ir.onnxdoor."  # that of ONNX Runtime and that of onnx
LOST = 6
COMMANDS = {
    "model": ("model", str(TINY / "model.onnx"), "--json"),
    "profile": ("profile", *GIVEN, "-o", "routing.npz", "--json"),
    "compile": ("compile", *SMALL, "--no-baselines", "-o", "out"),
    "verify": ("verify", "compiled", "--json"),
}


def answer(folder: Path, out: str) -> object:
    """What a command printed and wrote, without times."""
    written = {n: s for n, s in digest(folder).items() if not n.endswith("times.json")}
    return written, json.loads(out) if out.startswith("{") else out


def killed(words: Sequence[str], folder: Path, moment: float) -> tuple[list[str], bool, int]:
    """Kill the child some time after it began: what is wrong, whether it lived, the exit code."""
    run = Run(words, folder)
    run.handled()
    while run.process.poll() is None and not any(CHILD in command for command in run.family()):
        time.sleep(0.01)
    time.sleep(moment)
    met = [kill(pid) for pid, command in family(run.mark) if CHILD in command]
    return _judged(run, folder, words), any(met), run.process.returncode


BASE: dict[tuple[str, ...], object] = {}


def _judged(run: Run, folder: Path, words: Sequence[str]) -> list[str]:
    """What is wrong with a run: another answer than an undisturbed one's, or a traceback."""
    ended = run.end()
    faults = ended.wrong()
    if ended.code == 0 and answer(folder, ended.out) != BASE[tuple(words)]:
        faults.append("another answer, and exit 0")
    if ended.code and not ended.err.strip().splitlines()[-1:]:
        faults.append(f"exit {ended.code} without a reason")
    for name in ("out", "routing.npz"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return faults


def main(argv: list[str] | None = None) -> int:
    """Kill and limit; 1 where a wrong answer was given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="of all commands together")
    parser.add_argument("--limits", type=int, default=20, help="of memory, from 1 to 16 GiB")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    draw, failed = random.Random(given.seed), 0  # noqa: S311 - moments
    with tempfile.TemporaryDirectory(prefix="lost-runtime-") as made:
        folder = Path(made)
        whole(["compile", *SMALL, "--no-baselines", "-o", "compiled"], folder)
        for name, words in COMMANDS.items():
            ended, took = whole(words, folder)
            BASE[words] = answer(folder, ended.out)
            for path in (folder / "out", folder / "routing.npz"):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            faults, there, codes = list[str](), 0, list[int]()
            many = -(-given.kills // len(COMMANDS))
            for moment in moments(draw.randrange(1 << 30), many, took / 2):
                wrong, was_there, code = killed(words, folder, moment)
                faults += [f"after {moment:.2f} s: {fault}" for fault in wrong]
                there += was_there
                codes.append(code)
            failed |= told(
                f"{name}: child killed in {there}, exits {sorted(set(codes))}", faults, many
            )
        faults = list[str]()
        words = COMMANDS["compile"]
        for n in range(given.limits):
            room = int((1 + 15 * n / max(1, given.limits - 1)) * 2**30)
            run = Run(words, folder, launch=limited("AS", room))
            faults += [f"{room >> 20} MiB: {fault}" for fault in _judged(run, folder, words)]
        failed |= told("compile under a limit of memory", faults, given.limits)
    return failed


if __name__ == "__main__":
    sys.exit(main())

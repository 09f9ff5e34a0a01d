"""Commands run to be disturbed: begun, signalled at a moment, and what they leave behind.

Shared by the harnesses of interruptions, kills, races and full disks.
"""

import hashlib
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tests.paths import MODELS, ROOT, TINY

MARK = "MOEXBAR_RUN"
PROC = Path("/proc")
GRACE_S = 0.5  # in which children may end after their parent
TRACE = [str(MODELS / "token_choice.onnx"), "--inputs", str(MODELS / "heldout.npz")]
SMALL = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "--prefill", "16"]


@dataclass(frozen=True)
class Ended:
    """What a run came to: exit code, seconds since the signal, its words, processes it left."""

    code: int
    seconds: float
    out: str
    err: str
    orphans: tuple[str, ...]

    def wrong(self) -> list[str]:
        """What no run may leave, however it ended."""
        found = [f"orphan: {words[:80]}" for words in self.orphans]
        if "Traceback" in self.err or "Exception ignored" in self.err:
            found.append("traceback: " + " | ".join(self.err.strip().splitlines()[-9:])[:900])
        if "terminate called" in self.err:
            found.append("aborted in C++")
        return found


@dataclass(eq=False)
class Run:
    """A command in a session of its own; all its processes bear its mark."""

    words: Sequence[str]
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict[str, str])
    launch: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.mark = secrets.token_hex(8)
        there = os.environ | {"PYTHONPATH": str(ROOT), MARK: self.mark} | dict(self.more)
        self.out = (self.folder / f"out-{self.mark}").open("w+")
        self.err = (self.folder / f"err-{self.mark}").open("w+")
        command = [*self.launch, sys.executable, "-m", "moexbar", *self.words]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=there,
            stdin=subprocess.DEVNULL,
            stdout=self.out,
            stderr=self.err,
            start_new_session=True,
        )

    def handled(self) -> bool:
        """Wait until signals are handled; False where the process ended before."""
        bit = 1 << (signal.SIGTERM - 1)
        while self.process.poll() is None:
            caught = _status(self.process.pid).get("SigCgt", "0")
            if int(caught, 16) & bit:
                return True
            time.sleep(0.002)
        return False

    def family(self) -> tuple[str, ...]:
        """The commands of its other processes that are there now."""
        return tuple(words for _, words in family(self.mark) if _ != self.process.pid)

    def send(self, number: int, *, group: bool = False) -> None:
        """A signal to the process, or as a terminal does to all of its group."""
        if self.process.poll() is None:
            (os.killpg if group else os.kill)(self.process.pid, number)

    def end(self, timeout: float = 120) -> Ended:
        """Wait for the end, from now; a process that hangs is killed, with the code -9."""
        begun = time.monotonic()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        seconds = time.monotonic() - begun
        until = time.monotonic() + GRACE_S
        while (left := family(self.mark)) and time.monotonic() < until:
            time.sleep(0.02)
        for pid, _ in left:
            kill(pid)
        code = self.process.returncode
        return Ended(code, seconds, _read(self.out), _read(self.err), tuple(w for _, w in left))


def _read(file: TextIO) -> str:
    """All of a file that a run has written; it is gone then."""
    with file:
        file.seek(0)
        text = file.read()
    Path(file.name).unlink()
    return text


def _status(pid: int) -> dict[str, str]:
    try:
        text = (PROC / str(pid) / "status").read_text()
    except OSError:
        return {}
    return {
        name: rest.strip() for name, _, rest in (line.partition(":") for line in text.split("\n"))
    }


def family(mark: str) -> list[tuple[int, str]]:
    """(pid, command) of every living process that bears a mark."""
    wanted, found = f"{MARK}={mark}".encode(), list[tuple[int, str]]()
    for place in PROC.iterdir():
        if not place.name.isdecimal():
            continue
        try:
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if _status(int(place.name)).get("State", "Z")[0] != "Z":
                    found.append((int(place.name), words))
        except (OSError, ValueError):
            continue  # it has ended
    return found


def kill(pid: int) -> bool:
    """SIGKILL; whether the process was there still."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def whole(words: Sequence[str], folder: Path) -> tuple[Ended, float]:
    """A run to its end, which must be a good one, and its seconds."""
    begun = time.monotonic()
    ended = Run(words, folder).end(600)
    if ended.code:
        raise SystemExit(f"moexbar {' '.join(words)}: exit {ended.code}: {ended.err[-500:]}")
    return ended, time.monotonic() - begun


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder; nothing where there is none."""
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def strays(folder: Path) -> list[str]:
    """Names that only a run of ours leaves: hidden ones."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def moments(seed: int, many: int, whole_s: float) -> list[float]:
    """So many moments of a run, one in each part of it, s."""
    draw = random.Random(seed)  # noqa: S311 - moments
    return [(n + draw.random()) / many * whole_s for n in range(many)]


def told(what: str, faults: Sequence[str], count: int, more: Callable[[], str] = str) -> int:
    """Print the outcome of a harness, each fault on a line; the exit code."""
    print(f"{what}: {count} runs, {len(faults)} faults{more()}", flush=True)
    for fault in faults[:20]:
        print(f"  {fault}", flush=True)
    return 1 if faults else 0


def limited(what: str, most: int) -> tuple[str, ...]:
    """The words before a command that runs it under a limit, RLIMIT_`what`."""
    limit = f"resource.setrlimit(resource.RLIMIT_{what}, ({most}, {most}))"
    program = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    return (sys.executable, "-c", program)

"""What the fuzzers of models and of artifacts have in common: drawing, trying, counting."""

import random
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ir.errors import InputError, MoexbarError, RuntimeLostError

SECONDS = 60  # for one case; then it counts as hanging
WHOLE = (0, 1, -1, 2, 3, 7, 2**31, 2**40, 2**62, -(2**63))
TEXTS = ("", "x", "Relu", "\x1b[2J", "n" * 300, "../a", "TopK", "com.microsoft", "\u202e", "a/b c")
MOST_SHOWN = 20  # refusals that name nothing
MOST_CPU_S, MOST_MIB = 5.0, 256  # that a refusal may cost
FAILURES = ("traceback", "hanging", "costly")
Random = random.Random


class HangingError(BaseException):
    """A case that took too long; no Exception, which the code that is tried may take for its own.

    (A model in a cycle was "refused" after a minute, as not a valid graph: the alarm's error.)
    """


@dataclass(frozen=True)
class Cost:
    """What a case took of this process: seconds of CPU, and MiB at its peak beyond those before."""

    cpu_s: float
    mib: int


@dataclass
class Found:
    """What became of the cases, and which refusals were the dearest."""

    outcomes: Counter[str] = field(default_factory=Counter)
    named: int = 0
    unnamed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "none")
    largest: tuple[int, str] = (0, "none")

    def add(self, outcome: str, case: str, cost: Cost, said: str, names: Collection[str]) -> None:
        """Count a case: what became of it, its cost, what is said; names: of its file."""
        self.outcomes[outcome] += 1
        named = says_where(said, names)
        self.named += outcome == "refused" and named
        if outcome == "refused" and not named and len(self.unnamed) < MOST_SHOWN:
            self.unnamed.append(f"{case}: {said}")
        if outcome in ("refused", "costly"):
            self.slowest = max(self.slowest, (cost.cpu_s, case))
            self.largest = max(self.largest, (cost.mib, case))


def by_bytes(data: bytes, draw: Random) -> bytes:
    """Some bytes changed, left out, put in or repeated; or the end cut off."""
    out = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 8])):
        at, some = draw.randrange(len(out)), draw.choice([1, 2, 4, 16])
        match draw.randrange(6):
            case 0:
                out[at] = draw.randrange(256)
            case 1:
                out[at] ^= 1 << draw.randrange(8)
            case 2:
                del out[at : at + some]
            case 3:
                out[at:at] = draw.randbytes(some)
            case 4:
                out[at:at] = out[at : at + 64 * some]
            case _:
                if draw.random() < 0.2:
                    del out[max(at, 16) :]
        if not out:
            break
    return bytes(out) or b"\0"


def _late(number: int, frame: FrameType | None) -> None:
    raise HangingError


@contextmanager
def alarmed(seconds: int = SECONDS) -> Iterator[None]:
    """HangingError in the block once so many seconds are over."""
    before = signal.signal(signal.SIGALRM, _late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tried(case: Callable[[], str]) -> tuple[str, str, Cost]:
    """What becomes of a case, what is said of it, and its cost; one that ends well says it itself.

    A refusal that costs too much is none.
    """
    _forget_peak()
    begun, before = time.process_time(), _peak_mib()
    outcome, said = _outcome(case)
    cost = Cost(time.process_time() - begun, _peak_mib() - before)
    if outcome == "refused" and (cost.cpu_s > MOST_CPU_S or cost.mib > MOST_MIB):
        outcome = "costly"
    return outcome, said, cost


def _outcome(case: Callable[[], str]) -> tuple[str, str]:
    try:
        with alarmed():
            return "accepted", case()
    except RuntimeLostError as error:
        return "lost", str(error)
    except InputError as error:
        return "refused", str(error)
    except MoexbarError as error:
        return "found illegal", str(error)
    except HangingError:
        return "hanging", ""
    except Exception:  # what this looks for
        return "traceback", traceback.format_exc()


def _forget_peak() -> None:
    """The peak of this process's memory begins anew (`man 5 proc`, clear_refs; Linux alone)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> int:
    """Of this process, in MiB; where the system has no such file since it began."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def says_where(said: str, names: Collection[str]) -> bool:
    """Whether a message begins with a file's name, and names something in it."""
    rest = next((said.removeprefix(f"{n}: ") for n in names if said.startswith(f"{n}: ")), None)
    marks = any(c in (rest or "") for c in "'\"") or ": " in (rest or "")
    return rest is not None and (marks or "protobuf" in rest)


def shown(found: Found) -> Iterator[str]:
    """Lines that say what became of how many, and what that took."""
    for outcome, count in found.outcomes.most_common():
        yield f"{outcome:13} {count:6}"
    yield f"refusals that name file and field: {found.named} of {found.outcomes['refused']}"
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    yield from (f"  not named: {said}" for said in found.unnamed)
    yield "dearest of what was refused:"
    yield f"  {found.slowest[0]:.1f} s of CPU ({found.slowest[1]})"
    yield f"  {found.largest[0]} MiB more than before ({found.largest[1]})"
    yield f"largest of the processes that were started: {child} MiB"
    for told in found.failed:
        yield f"\n{told}"

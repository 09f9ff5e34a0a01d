"""Change model files at random, by bytes and by fields: what comes must be an answer or a reason.

Anything but an answer, an error of ours or a refusal by ONNX Runtime is a traceback: it is kept as
a file in the folder that --keep names, and the exit code is 1.

    python -m benchmarks.fuzz_models --cases 5000 --seed 1
"""

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import onnx

from compiler.frontend.read import survey_model
from ir.errors import InputError, MoexbarError, RuntimeLostError
from ir.onnxdoor.load import open_model
from ir.onnxdoor.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.damage import DAMAGES
from tests.hostile.build import serialised, transformer
from tests.hostile.doubling import plainly, twice
from tests.hostile.sizes import looped
from tests.paths import TINY

SECONDS = 60  # for one case; then it counts as hanging
WHOLE = (0, 1, -1, 2, 3, 7, 2**31, 2**40, 2**62, -(2**63))
TEXTS = ("", "x", "Relu", "\x1b[2J", "n" * 300, "../a", "TopK", "com.microsoft", "\u202e", "a/b c")
Random = random.Random


def seeds() -> dict[str, bytes]:
    """The models that are changed: the shipped one, and small ones of every form."""
    blocks: dict[str, m.Ffn] = {
        "dense": m.dense_masked(),
        "gathered": m.gather_batched(),
        "grouped": m.grouped,
        "expert choice": m.expert_choice(),
        "MoE": m.contract(),
        "per expert": m.per_expert_gather,
    }
    found = {name: serialised(transformer(block)) for name, block in blocks.items()}
    found |= {"functions": serialised(twice(4, plainly)), "loop": serialised(looped(4, True))}
    return found | {path.stem: path.read_bytes() for path in sorted(TINY.glob("*.onnx"))}


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
    return bytes(out) or b"\0"


def by_damage(data: bytes, draw: Random) -> bytes:
    """A node left out, or an attribute, a size, a type or the opset changed."""
    proto = onnx.ModelProto.FromString(data)
    for _ in range(draw.choice([1, 1, 2])):
        try:
            draw.choice(DAMAGES)(proto, draw)
        except (IndexError, ValueError):
            continue  # it has nothing of that kind
    return proto.SerializeToString()  # type: ignore[no-any-return]


def by_fields(data: bytes, draw: Random) -> bytes:
    """Fields of any messages of the model set to numbers and texts that no exporter writes."""
    proto = onnx.ModelProto.FromString(data)
    for _ in range(draw.choice([1, 1, 2, 4])):
        message: onnx.ModelProto = proto
        for _ in range(draw.randrange(1, 9)):
            inner = [v for d, v in message.ListFields() if d.message_type is not None]
            if not inner:
                break
            chosen = draw.choice(inner)
            message = draw.choice(chosen) if hasattr(chosen, "append") else chosen
        _set(message, draw)
    return proto.SerializeToString()  # type: ignore[no-any-return]


def _set(message: onnx.ModelProto, draw: Random) -> None:
    """One field of a message another value, gone, or there twice."""
    fields = [d for d, _ in message.ListFields()] or list(message.DESCRIPTOR.fields)
    told = draw.choice(fields)
    value = getattr(message, told.name)
    if draw.random() < 0.15:
        message.ClearField(told.name)
        return
    ways: dict[int, Callable[[], Any]] = {
        told.CPPTYPE_STRING: lambda: draw.choice(TEXTS),
        told.CPPTYPE_FLOAT: lambda: draw.choice([0.0, float("nan"), float("inf"), -1e30]),
        told.CPPTYPE_DOUBLE: lambda: draw.choice([0.0, float("nan"), float("inf")]),
    }
    drawn = ways.get(told.cpp_type, lambda: draw.choice(WHOLE))()
    if told.type == told.TYPE_BYTES:
        drawn = draw.randbytes(draw.choice([0, 1, 4, 64]))
    try:
        if told.message_type is not None:
            if hasattr(value, "append") and value:
                value.append(draw.choice(value))
        elif hasattr(value, "append"):
            value[draw.randrange(len(value))] = drawn
        else:
            setattr(message, told.name, drawn)
    except (ValueError, TypeError, IndexError):
        return  # out of the range of its type


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (by_bytes, by_damage, by_fields)


def mutant(number: int, seed: int, models: dict[str, bytes]) -> tuple[str, bytes]:
    """The case of that number: what it was made of and how, and the file."""
    draw = Random(f"{seed}/{number}")
    name, change = draw.choice(list(models)), draw.choice(MUTATIONS)
    return f"{name}, {change.__name__}", change(models[name], draw)


class HangingError(Exception):
    """A case that took too long."""


def _late(number: int, frame: FrameType | None) -> None:
    raise HangingError


@dataclass
class Found:
    """What became of the cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    named: int = 0
    failed: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")


def tried(path: Path, runtime: Runtime) -> tuple[str, str]:
    """What becomes of a file, and what is said of it."""
    signal.alarm(SECONDS)
    try:
        survey_model(open_model(path), runtime=runtime)
    except RuntimeLostError as error:
        return "lost", str(error)
    except InputError as error:
        return "refused", str(error)
    except MoexbarError as error:
        return "other error", str(error)
    except HangingError:
        return "hanging", ""
    except Exception:  # what this looks for
        return "traceback", traceback.format_exc()
    finally:
        signal.alarm(0)
    return "accepted", ""


def run(cases: range, seed: int, keep: Path | None) -> Found:
    """Try all cases; files of those that fail are kept."""
    models, found = seeds(), Found()
    signal.signal(signal.SIGALRM, _late)
    runtime = Runtime(seconds=SECONDS / 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for number in cases:
            what, data = mutant(number, seed, models)
            path.write_bytes(data)
            begun = time.process_time()
            outcome, said = tried(path, runtime)
            if outcome in ("lost", "hanging"):
                runtime.close()
                runtime = Runtime(seconds=SECONDS / 2)
            found.slowest = max(found.slowest, (time.process_time() - begun, f"case {number}"))
            found.outcomes[outcome] += 1
            found.named += outcome == "refused" and says_where(said, path)
            if outcome in ("traceback", "hanging"):
                found.failed.append(f"case {number} ({what}): {said}")
                if keep is not None:
                    (keep / f"{seed}-{number}.onnx").write_bytes(data)
    runtime.close()
    return found


def says_where(said: str, path: Path) -> bool:
    """Whether a message names the file, and something in it."""
    rest = said.removeprefix(f"{path}: ")
    return rest != said and (any(c in rest for c in "'\"") or ": " in rest or "protobuf" in rest)


def main(argv: Sequence[str] | None = None) -> None:
    """Print what became of how many."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=0, help="of the drawings")
    parser.add_argument("--keep", type=Path, help="folder for files that fail")
    given = parser.parse_args(argv)
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    found = run(range(given.first, given.first + given.cases), given.seed, given.keep)
    for outcome, count in found.outcomes.most_common():
        print(f"{outcome:12} {count:6}")
    refused = found.outcomes["refused"]
    print(f"refusals that name file and field: {found.named} of {refused}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"slowest {found.slowest[0]:.1f} s of CPU ({found.slowest[1]})")
    print(f"largest {peak} MiB, ONNX Runtime's process {child} MiB")
    for told in found.failed:
        print(f"\n{told}")
    sys.exit(bool(found.failed))


if __name__ == "__main__":
    main()

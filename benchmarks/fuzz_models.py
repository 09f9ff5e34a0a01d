"""Change model files at random, by bytes and by fields: what comes must be an answer or a reason.

Anything but an answer, an error of ours or a refusal by ONNX Runtime is a traceback: it is kept as
a file in the folder that --keep names, and the exit code is 1.

    python -m benchmarks.fuzz_models --cases 5000 --seed 1
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from benchmarks.fuzzing import (
    FAILURES,
    SECONDS,
    TEXTS,
    WHOLE,
    Found,
    Random,
    by_bytes,
    shown,
    tried,
)
from compiler.frontend.read import survey_model
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.damage import DAMAGES
from tests.hostile.build import serialised, transformer
from tests.hostile.doubling import plainly, twice
from tests.hostile.sizes import looped
from tests.paths import TINY

HALF = SECONDS / 2  # for one run of a model


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


def run(cases: range, seed: int, keep: Path | None) -> Found:
    """Try all cases; files of those that fail are kept."""
    models, found = seeds(), Found()
    runtime = Runtime(seconds=HALF)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for number in cases:
            what, data = mutant(number, seed, models)
            path.write_bytes(data)
            outcome, said, cost = tried(partial(_surveyed, path, runtime))
            if outcome in ("lost", "hanging"):
                runtime.close()
                runtime = Runtime(seconds=HALF)
            found.add(outcome, f"case {number}", cost, said, [str(path)])
            if outcome in FAILURES:
                found.failed.append(f"case {number} ({what}): {said}")
                if keep is not None:
                    (keep / f"{seed}-{number}.onnx").write_bytes(data)
    runtime.close()
    return found


def _surveyed(path: Path, runtime: Runtime) -> str:
    survey_model(open_model(path), runtime=runtime)
    return ""


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
    for line in shown(found):
        print(line)
    sys.exit(bool(found.failed))


if __name__ == "__main__":
    main()

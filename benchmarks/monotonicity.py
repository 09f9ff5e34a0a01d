"""Whether a slower unit ever makes a program faster: falls of the time over random triples.

A triple is a program (a shipped model on a preset, or a random model on a random chip), a number of
its chip that a time rests on, and by how much it is made worse, 1 to 50 per cent. Instructions and
units are the same before and after, and no instruction takes less time: what has other units by its
work then, or other tiles of queries, is another program and no triple. Printed are the falls of the
time by one priority rule (tokens in turn), and by the best of all schedules that the compiler looks
at.

    python -m benchmarks.monotonicity --triples 200 --seed 1
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from compiler.emit import emit
from compiler.options import GroupingOptions
from compiler.timeline.jobs import Jobs, prepare
from compiler.timeline.list_schedule import list_schedule
from compiler.timeline.search import best_schedule
from ir.chip import Chip
from ir.compiled import Compiled
from ir.errors import MoexbarError
from ir.onnxdoor.processes.session import Runtime
from moexbar.chips import preset_names
from moexbar.compilation import compile
from moexbar.model import open_model
from tests.chain.choices import drawn
from tests.chain.run import compile_recipe, read_recipe
from tests.paths import MODELS

TOKENS = 32
SLOWER = {  # table, field: whether more of it takes longer; none that changes an area, so a length
    ("mvm", "read_ps"): True,
    ("mvm", "conversion_ps"): True,
    ("mvm", "drain_ps"): True,
    ("pg", "mux_settle_ps"): True,
    ("accumulate", "hop_ps"): True,
    ("bus", "transfers_per_slot"): False,
    ("bus", "bits_per_ns"): False,
    ("bus", "latency_ps"): True,
    ("mesh", "hop_ps"): True,
    ("digital", "add_base_ps"): True,
    ("digital", "add_ps"): True,
    ("digital", "norm_ps"): True,
    ("digital", "relu_ps"): True,
    ("digital", "smooth_base_ps"): True,
    ("digital", "smooth_ps"): True,
    ("memory", "buffer_bits_per_ns"): False,
    ("wires", "ps_per_mm"): True,
    ("digital", "sample_ps"): True,
    ("digital", "macs_per_ns"): False,
    ("memory", "dram_mb_per_s"): False,
}


@dataclass(frozen=True)
class Falls:
    """What fraction of its time each program lost by a slower unit; below 0 where it took longer.

    one_rule, best: one entry a triple, in `names`.
    """

    names: tuple[str, ...]
    one_rule: tuple[float, ...]
    best: tuple[float, ...]


def slowed(chip: Chip, table: str, field: str, by: float) -> Chip | None:
    """The chip with one number worse by a fraction; None where that changes nothing."""
    of = getattr(chip, table)
    value = getattr(of, field)
    if not value:
        return None
    worse = int(np.ceil(value * (1 + by)) if SLOWER[table, field] else value / (1 + by))
    return replace(chip, **{table: replace(of, **{field: worse})}) if worse else None


def jobs_on(compiled: Compiled, chip: Chip) -> tuple[Jobs, tuple[tuple[str, int], ...]]:
    """The same decisions on a chip with other speeds; its units by name, and how many of each."""
    draft, units = emit(
        compiled.workload, compiled.mapping, compiled.schedule, chip, compiled.passed
    )
    counts = tuple((unit.name, unit.units) for unit in units.table)
    return prepare(draft, units.servers, chip.pg.input_buffers), counts


def times_ps(jobs: Jobs) -> tuple[int, int]:
    """The program's time by one rule, and the best."""
    return list_schedule(jobs, jobs.priority).end_ps, best_schedule(jobs).end_ps


def measure(programs: Sequence[tuple[str, Compiled]], triples: int, seed: int) -> Falls:
    """Draw and time the triples. Raises ValueError where a slower unit shortens an instruction."""
    rng = np.random.default_rng(seed)
    before: dict[int, tuple[Jobs, tuple[tuple[str, int], ...], tuple[int, int]]] = {}
    names: list[str] = []
    falls: list[tuple[float, float]] = []
    while len(names) < triples:
        at, by = int(rng.integers(len(programs))), float(rng.uniform(0.01, 0.5))
        table, field = list(SLOWER)[int(rng.integers(len(SLOWER)))]
        name, compiled = programs[at]
        chip = slowed(compiled.chip, table, field, by)
        if chip is None:
            continue
        if at not in before:
            jobs, units = jobs_on(compiled, compiled.chip)
            before[at] = jobs, units, times_ps(jobs)
        old, units, (rule, best) = before[at]
        new, others = jobs_on(compiled, chip)
        if others != units or len(new) != len(old):
            continue
        longer = (new.duration_ps - old.duration_ps, new.busy_ps - old.busy_ps)
        if min(int(d.min()) for d in longer) < 0:
            raise ValueError(f"{name}: {table}.{field} worse by {by:.3f} shortens an instruction")
        if not any(d.any() for d in longer):
            continue
        after = times_ps(new)
        names.append(f"{name}, {table}.{field} by {100 * by:.1f} %")
        falls.append((1 - after[0] / rule, 1 - after[1] / best))
    return Falls(tuple(names), tuple(f[0] for f in falls), tuple(f[1] for f in falls))


def shipped() -> list[tuple[str, Compiled]]:
    """The example models on every preset that holds them."""
    out: list[tuple[str, Compiled]] = []
    for name in ("token_choice", "expert_choice"):
        model = open_model(MODELS / f"{name}.onnx")
        routing = model.profile(MODELS / "heldout.npz", tokens=TOKENS)
        for chip in preset_names():
            try:
                made = compile(
                    model,
                    chip,
                    routing=routing,
                    prefill=TOKENS,
                    grouping=GroupingOptions("sorted"),
                    baselines="none",
                    execute=False,
                )
            except MoexbarError as error:
                print(f"{name} on {chip}: {error}")
                continue
            out.append((f"{name} on {chip}", made.compiled))
    return out


def random_programs(count: int, seed: int) -> list[tuple[str, Compiled]]:
    """Random models on random chips, those of benchmarks/random_models."""
    out: list[tuple[str, Compiled]] = []
    with tempfile.TemporaryDirectory() as folder, Runtime() as runtime:
        for number in range(count):
            recipe, _ = drawn(seed, number)
            made = compile_recipe(read_recipe(recipe, Path(folder), runtime))
            out.append((f"random model {number}", made))
    return out


def table(falls: Falls, seed: int) -> str:
    """The falls of both as lines of text."""
    lines = [f"{len(falls.names)} triples of seed {seed}; falls of the time, per cent"]
    lines.append("schedule        worst    mean  above 0.1  0.5    1")
    for name, found in (("one rule", falls.one_rule), ("best of all", falls.best)):
        fell = 100 * np.maximum(found, 0)
        over = [int((fell > limit).sum()) for limit in (0.1, 0.5, 1)]
        lines.append(
            f"{name:12} {fell.max():8.3f} {fell.mean():7.4f} {over[0]:10} {over[1]:4} {over[2]:4}"
        )
    worst = int(np.argmax(falls.best))
    if falls.best[worst] > 0:
        lines.append(f"worst of the best: {falls.names[worst]}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 1 if any time falls by more than 1 per cent."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--triples", type=int, default=200)
    parser.add_argument("--random", type=int, default=40, help="random models among the programs")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(argv)
    programs = shipped() + random_programs(asked.random, asked.seed)
    falls = measure(programs, asked.triples, asked.seed)
    print(table(falls, asked.seed))
    return int(max(falls.best) > 0.01)


if __name__ == "__main__":
    raise SystemExit(main())

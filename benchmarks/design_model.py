"""The model of a design against the programs of its chips: time, area and energy, point by point.

A prefill and decode steps of a model on chips of several group sizes, copies of dense blocks,
buses, return links, input buffers and units. A program is made with groups `sorted` and slot order
`token-order`; its decode steps count as `backends.pace` counts them, keys and values in buffers.
--stack: layers that share a region, --replicas: copies of experts that are added in a layer, of one
design after another. Groups with replicas are by `local-search`, which places some.

    python -m benchmarks.design_model MODEL (--inputs NPZ | --routing TRACE) [--points 60]
        [--stack 1 2] [--replicas 0 2 4]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backends.cost import cost
from backends.pace import pace
from compiler.design.choices import DECISIONS, Design, Key, Whole
from compiler.design.figures import Figures, figures
from compiler.design.floor import Floor
from compiler.options import GroupingOptions, Options, PlacementOptions, Shape, SlotOptions
from compiler.pipeline import compile_model
from ir.chip import Chip
from ir.routing import token_spans
from moexbar.chips import load_chip
from moexbar.files.traces.reading import Reading
from moexbar.given import Given, routed
from moexbar.model import Model, open_model
from moexbar.progress import Quiet

GROUPING, SLOTS = GroupingOptions("sorted"), SlotOptions("token-order")
REPLICATED = GroupingOptions("local-search")
SIZES, COPIES, TRANSFERS, LANES = (1, 2, 4, 8), (1, 2, 4), (2, 4, 8, 16), (1, 2, 4)
BUFFERS, DPUS, MHA = (1, 2, 4), (1, 2, 3, 6), (1, 2, 4)


@dataclass(frozen=True)
class Row:
    """A design for a shape: by the model, and (time in ps, um2, fJ) of its program."""

    shape: Shape
    design: Design
    model: Figures
    program: tuple[float, int, float]

    @property
    def errors(self) -> tuple[float, float, float]:
        """Of time, area and energy, as fractions of the program's."""
        ours = self.model.time_ps, self.model.total_um2, self.model.total_fj
        time, area, energy = (a / b - 1 for a, b in zip(ours, self.program, strict=True))
        return time, area, energy


def designs(
    floor: Floor, points: int, seed: int, stacks: Sequence[int], replicas: Sequence[int]
) -> list[Design]:
    """Designs drawn at random; every other one has the same group size in all layers."""
    draw = np.random.default_rng(seed)

    def one(values: tuple[int, ...]) -> int:
        return int(draw.choice(values))

    found = []
    for number in range(points):
        mux = one(SIZES)
        same = number % 2 == 0
        layers = floor.expert_layers
        sizes: dict[Key, int]
        sizes = {layer: mux if same else min(mux, one(SIZES)) for layer in layers}
        rest = [one(v) for v in (COPIES, TRANSFERS, LANES, BUFFERS, DPUS, MHA)]
        rest.append(replicas[number // 2 // len(stacks) % len(replicas)])
        values: dict[Key, int] = dict(zip(DECISIONS, rest, strict=True))
        values.update(sizes)
        whole = Whole(mux, stack=stacks[number // 2 % len(stacks)])
        least = 1 if whole.stack == 1 else 2  # vectors of an input buffer
        values["buffers"] = max(least, values["buffers"])
        found.append(floor.design_of(values, whole))
    return found


def row(floor: Floor, design: Design) -> Row:
    """A design by the model, and its program."""
    options = replace(
        floor.options,
        grouping=design.grouping(floor.options.grouping),
        placement=design.placement(PlacementOptions()),
    )
    done = compile_model(floor.workload, floor.routing, design.on(floor.chip), options)
    told, shape = cost(done.program, done.chip), options.shape
    time, energy = float(told.time_ps), float(told.energy.total_fj)
    if shape.decode:
        found = pace(done.program)
        if found is None:
            raise SystemExit("the model does not choose tokens")
        time, energy = found.step_ps, float("nan")  # a program's is with its prefill
    return Row(shape, design, figures(floor, design), (time, told.area.total_um2, energy))


def floor_of(
    given: argparse.Namespace,
    model: Model,
    shape: Shape,
    chip: Chip,
    grouping: GroupingOptions = GROUPING,
) -> Floor:
    """The model, its routing and the chip that designs begin with."""
    workload = model.workload(tokens=shape.tokens, batch=1, decodes=shape.decode > 0)
    source = Given(given.routing, Reading(), given.inputs, 0, trust_traced=False)
    workload, trace = routed(model, workload, shape, source, Quiet())
    spans = token_spans(trace, (0.0, 0.5), (0.5, 1.0), shape.batch * shape.length)
    return Floor(workload, trace, chip, Options(shape, *spans, grouping, slots=SLOTS))


def rows(given: argparse.Namespace) -> Iterator[Row]:
    """All points: prefills, and decode steps of one sequence and of eight."""
    model = open_model(given.model)
    chip = load_chip(given.chip, {"memory.kv": "buffers"})
    decode = Shape(16, 1, given.decode)
    grouping = REPLICATED if any(given.replicas) else GROUPING
    for shape in (Shape(given.prefill), decode, replace(decode, batch=8)):
        floor = floor_of(given, model, shape, chip, grouping)
        points = given.points // 2 if not shape.decode else given.points // 4
        for design in designs(floor, points, given.seed, given.stack, given.replicas):
            yield row(floor, design)


def told(row: Row) -> str:
    """A line of the table."""
    d = row.design
    sizes = ",".join(str(size) for _, size in d.sizes)
    what = f"{row.shape.batch} x {row.shape.decode or row.shape.prefill}"
    kind = "decode" if row.shape.decode else "prefill"
    binds = next(iter(row.model.made_of))
    errors = "".join("        -" if e != e else f"{100 * e:>9.2f}" for e in row.errors)
    return (
        f"{kind:<8}{what:<8}{sizes:<8}{d.stack:>6}{d.replicas:>4}{d.copies:>4}{d.transfers:>4}{d.lanes:>4}{d.buffers:>4}"
        f"{d.dpus:>4}{d.mha:>4}{row.program[0] / 1e6:>10.2f}{row.model.time_ps / 1e6:>10.2f}"
        f"{errors}  {binds}"
    )


def summary(found: Sequence[Row]) -> Iterator[str]:
    """Mean and largest errors, of prefills and of decode steps."""
    for kind in (False, True):
        some = [row for row in found if (row.shape.decode > 0) == kind]
        for number, what in enumerate(("time", "area", "energy")):
            errors = np.array([abs(row.errors[number]) for row in some])
            if len(some) and not np.isnan(errors).any():
                yield (
                    f"{'decode' if kind else 'prefill'}, {len(some)} points, {what}: mean error "
                    f"{100 * errors.mean():.2f} %, largest {100 * errors.max():.2f} %"
                )


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each design, and the errors."""
    first, text = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first, epilog=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--routing")
    parser.add_argument("--chip", default="hermes")
    parser.add_argument("--prefill", type=int, default=128)
    parser.add_argument("--decode", type=int, default=8)
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--stack", type=int, nargs="+", default=(1,), metavar="LAYERS")
    parser.add_argument("--replicas", type=int, nargs="+", default=(0,), metavar="COPIES")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    print(
        "window          groups  layers rep copy bus ret buf dpu mha   program     model  time %   "
        "area % energy %  what most of it is"
    )
    found = []
    for point in rows(given):
        found.append(point)
        print(told(point), flush=True)
    print(*summary(found), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The frontier of `moexbar design` against a grid of chips, all compiled and replayed.

    python -m benchmarks.design_grid examples/models/token_choice.onnx --inputs NPZ [--points 1024]

The grid: group sizes 1, 2, 4, 8 of each MoE layer, 1 or 2 copies of dense blocks, 4 to 32 transfers
a slot, 1 or 2 return lanes, 1 or 2 input buffers, and digital units that keep up or half as many;
attention units that keep up; none shares across layers; of the product the first `--points`, in an
order drawn by a seed. The frontier has the same values to choose from. A chip of the grid is better
than one of the frontier where it has no more area and takes no more time: by how much in one of
them is the figure that counts. Times are process time, those of the frontier with the compilations
of its chips.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from time import process_time

import numpy as np

from backends.cost import chip_area
from backends.simulate import replay
from benchmarks.design_model import GROUPING, floor_of
from compiler.design.choices import Design, Menu, Whole
from compiler.design.designer import Designer
from compiler.design.floor import Floor
from compiler.design.menus import usual_menu
from compiler.options import PlacementOptions, Shape
from compiler.pipeline import compile_model
from moexbar.chips import load_chip
from moexbar.model import open_model

BETTER = 0.02  # in one figure, and no worse in the other
Measured = tuple[int, int, float]  # um2, ps, seconds of the processor


def menu_of(floor: Floor) -> Menu:
    """The values of the grid's decisions."""
    usual = usual_menu(floor)
    dpus, mha = usual.dpus[-2], usual.mha[-2:-1] or usual.mha[-1:]
    return replace(
        usual,
        copies=(1, 2),
        transfers=(4, 8, 16, 32),
        lanes=(1, 2),
        buffers=(1, 2),
        dpus=tuple(sorted({-(-dpus // 2), dpus})),
        mha=mha,
        stack=(1,),
    )


def grid(layers: Sequence[int], menu: Menu, points: int, seed: int) -> list[Design]:
    """Of all designs of a menu the first in an order drawn by a seed."""
    rest = (menu.copies, menu.transfers, menu.lanes, menu.buffers, menu.dpus, menu.mha)
    found = [
        Design(tuple(zip(layers, sizes, strict=True)), Whole(max(sizes)), *values)
        for sizes in product(menu.sizes, repeat=len(layers))
        for values in product(*rest)
    ]
    order = np.random.default_rng(seed).permutation(len(found))[:points]
    return [found[i] for i in order.tolist()]


def measured(floor: Floor, design: Design) -> Measured:
    """The chip of a design, its program compiled with all checks and replayed."""
    begun = process_time()
    options = replace(
        floor.options,
        grouping=design.grouping(GROUPING),
        placement=design.placement(PlacementOptions()),
    )
    done = compile_model(floor.workload, floor.routing, design.on(floor.chip), options)
    program = replay(done.program, done.chip).program
    area = chip_area(program, done.chip).total_um2
    return area, program.makespan_ps, process_time() - begun


def largest_lead(point: Measured, others: Sequence[Measured]) -> float:
    """By how much a chip is better than one of others in a figure, where it is no worse in both."""
    leads = [
        max(1 - point[0] / area, 1 - point[1] / ps)
        for area, ps, _ in others
        if point[0] <= area and point[1] <= ps
    ]
    return max(leads, default=0.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the frontier, and what of the grid is better than it; exit code 1 if by too much."""
    first, text = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first, epilog=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--routing")
    parser.add_argument("--chip", default="hermes")
    parser.add_argument("--prefill", type=int, default=128)
    parser.add_argument("--points", type=int, default=1024)
    parser.add_argument("--frontier", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(argv)
    floor = floor_of(given, open_model(given.model), Shape(given.prefill), load_chip(given.chip))
    menu, begun = menu_of(floor), process_time()
    chosen = Designer(floor, menu).frontier(given.frontier)
    searched = process_time() - begun
    ours = [measured(floor, one.design) for one in chosen]
    for one, (area, ps, _) in zip(chosen, ours, strict=True):
        sizes = ",".join(str(size) for _, size in one.design.sizes)
        error = one.figures.time_ps / ps - 1
        print(
            f"groups {sizes:<4} copies {one.design.copies} transfers {one.design.transfers:>2} "
            f"lanes {one.design.lanes} buffers {one.design.buffers} dpus {one.design.dpus:>2} "
            f"{area / 1e6:>8.2f} mm2 {ps / 1e6:>7.2f} us, model {error:+.1%}, {one.best.status}"
        )
    took = searched + sum(seconds for _, _, seconds in ours)
    designs = grid(floor.expert_layers, menu, given.points, given.seed)
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        every = list(pool.map(partial(measured, floor), designs, chunksize=8))
    leads = np.array([largest_lead(point, ours) for point in every])
    spent = sum(seconds for _, _, seconds in every)
    print(
        f"{len(every)} chips: {(leads > 0).sum()} better than one of the frontier's {len(ours)}, "
        f"{(leads > BETTER).sum()} by more than {BETTER:.0%}, at most {leads.max():.2%}; "
        f"{spent:.0f} s of the processor, the frontier {searched:.1f} + its chips' programs "
        f"{took - searched:.1f} s: 1/{spent / took:.0f}"
    )
    return int((leads > BETTER).any())


if __name__ == "__main__":
    sys.exit(main())

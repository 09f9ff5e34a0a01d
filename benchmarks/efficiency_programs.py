"""One MoE layer in emitted programs: what the time by slots and transfers leaves out.

A part of `python -m benchmarks.efficiency`: the same methods on a sample of the same windows,
placed in order and by `cp-sat`, with two input buffers in a peripheral group (the presets') and
with four.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np

from backends.cost import cost
from benchmarks.moe_shapes import moe_layers, spread
from compiler.baselines import Method, main_methods
from compiler.options import PLACERS, Options, PlacementOptions
from compiler.partition import partition
from compiler.pipeline import group_experts, order_layer, realise
from compiler.placement import Routed, place
from ir.mapping import Mapping
from ir.routing import Routing
from ir.schedule import prefill_schedule
from ir.workload import Workload
from moexbar.chips import load_chip
from moexbar.efficiency.layer import Windows, window_ps

SAMPLED_LAYERS = 6  # of the emitted programs; the first window of each half
INPUT_BUFFERS = (2, 4)
MUXES = (2, 4)
NUMERALS = ("(i)", "(ii)", "(iii)", "(iv)")


def in_programs(
    name: str, routing: Routing, ways: Sequence[Options], report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Emitted time over that by counts and GOPS/mm2, by placement, input buffers and method."""
    measured: dict[tuple[str, int, int, int], list[tuple[float, float, float]]] = {}
    for mux, options in product(MUXES, ways):
        chip = load_chip("hermes", {"pg.mux": str(mux)})
        many = list(enumerate(main_methods(chip, options)))
        for layer in spread(routing.layers, SAMPLED_LAYERS):
            workload = moe_layers(name, [layer])
            for number, method in many[2 if mux > 2 else 0 :]:  # unshared: the same for every mux
                for placer, buffers, result in _emitted(workload, routing, method):
                    key = (placer, buffers, number, method.chip.pg.mux)
                    measured.setdefault(key, []).append(result)
        report(f"{name}, programs, mux {mux}, groups of tokens {options.fit}")
    return [
        {
            "trace": name,
            "method": NUMERALS[number],
            "mux": mux,
            "placement": placer,
            "input_buffers": buffers,
            "us": fmean(us for us, _, _ in results),
            "over_counts": fmean(ratio for _, ratio, _ in results),
            "gops_per_mm2": fmean(gops for _, _, gops in results),
        }
        for (placer, buffers, number, mux), results in sorted(measured.items())
    ]


def _emitted(
    workload: Workload, routing: Routing, method: Method
) -> Iterator[tuple[str, int, tuple[float, float, float]]]:
    """(us, ratio to the time by counts, GOPS/mm2) of the first window scored, one layer."""
    op, options = workload.moe_layers[0], method.options
    chosen = routing.matrix(op.layer)
    blocks = partition(workload, method.chip)
    grouping = group_experts(workload, blocks, {op.layer: chosen}, routing, method.chip, options)
    tokens = options.shape.prefill
    fit, window = chosen[slice(*options.fit)], chosen[options.score[0] :][:tokens]
    pairs = order_layer(grouping.layers[0], window, options.slots, options.limits)
    schedule = prefill_schedule(np.zeros(tokens, dtype=np.int64), (pairs,))
    order, groups = pairs.order, len(grouping.layers[0].groups)
    counts = Windows(
        np.array([tokens]),
        np.array([int(window.sum())]),
        np.array([order.slots]),
        np.array([order.transfers_retained]),
        groups,
        op.router.experts,
    )
    for placer in PLACERS:
        routed = Routed(workload, {op.layer: fit}, len(fit))
        placement = place(
            blocks,
            grouping,
            method.chip,
            PlacementOptions(placer),
            routed=routed,
            limits=options.limits,
        )
        mapping = Mapping(blocks, grouping, placement)
        for buffers in INPUT_BUFFERS:
            chip = method.chip.closed({"pg.input_buffers": buffers})
            done = realise(workload, chip, mapping, schedule, {op.layer: window})
            spent = cost(done.program, done.chip)
            ratio = spent.moe_time_ps / int(window_ps(op, done.chip, counts)[0])
            yield placer, buffers, (spent.moe_time_ps / 1e6, ratio, spent.moe_gops_per_mm2 or 0.0)


def programs_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One line per method, mux, placement and number of input buffers."""
    yield f"{rows[0]['trace']}: emitted programs, {2 * SAMPLED_LAYERS} windows, each its own bus"
    yield (
        f"{'placement':<12}{'input buffers':<15}{'method':<8}{'mux':>4}{'us':>9}"
        f"{'/ by counts':>13}{'GOPS/mm2':>10}{'x (i)':>8}"
    )
    serial = {(r["placement"], r["input_buffers"]): r for r in rows if r["method"] == "(i)"}
    for row in rows:
        base = serial[row["placement"], row["input_buffers"]]["gops_per_mm2"]
        yield (
            f"{row['placement']:<12}{row['input_buffers']:<15}{row['method']:<8}{row['mux']:>4}"
            f"{row['us']:>9.1f}{row['over_counts']:>13.3f}{row['gops_per_mm2']:>10.0f}"
            f"{row['gops_per_mm2'] / base:>8.2f}"
        )
    yield ""

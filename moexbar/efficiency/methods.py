"""Area efficiency of a model's MoE layers under the four methods, from a routing trace and a chip.

Groups are fitted to one range of the trace and scored on windows of another. Neither slots nor
transfers depend on sizes or areas, so windows are counted once (`count_methods`), then the sizes
that a chip leaves open are chosen (`sized`), and each split of a core is judged (`judge`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from backends.band import with_peripherals
from compiler.baselines import Method, main_methods
from compiler.options import Options
from compiler.partition import partition
from compiler.pipeline import group_experts
from compiler.sizing import choose_sizes
from compiler.stages import order_turns
from compiler.trace import routing_matrices
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.routing import Routing, windows
from ir.workload import MoELayer, Workload
from moexbar.efficiency.layer import Windows, gops_per_mm2, window_ps
from moexbar.report.reproduced import EfficiencyRow

PUBLISHED = 2.2  # "up to", over an unshared chip: arXiv 2602.10254
MUXES = (1, 2, 4, 8)
SHARES = (80, 50, 30)  # per cent of a core that are peripherals; 80 is the presets'


@dataclass(frozen=True, eq=False)
class Counted:
    """One method on one trace: the scored windows of every MoE layer."""

    method: Method
    layers: tuple[tuple[MoELayer, Windows], ...]


def count_methods(
    workload: Workload,
    routing: Routing,
    chip: Chip,
    options: Options,
    *,
    shared_only: bool = False,
) -> list[Counted]:
    """Group and order under each method; shared_only: the two that depend on the chip's mux.

    Raises InputError for a score range without a window.
    """
    traced = routing_matrices(workload, routing)
    out = []
    for method in main_methods(chip, options)[2 if shared_only else 0 :]:
        blocks = partition(workload, method.chip)
        grouping = group_experts(workload, blocks, traced, routing, method.chip, method.options)
        start, stop = options.score
        grouping, layers = grouping.for_layers(workload.expert_homes), []
        for op in workload.moe_layers:
            chosen = traced[op.layer][start:stop]
            spans = windows(len(chosen), options.shape.together)
            if not spans:
                raise InputError(
                    routing.source,
                    f"{len(chosen)} tokens to score, fewer than one window",
                    "use shorter windows",
                )
            layers.append(
                (op, _count(method, grouping.of(op.layer), [chosen[a:b] for a, b in spans]))
            )
        out.append(Counted(method, tuple(layers)))
    return out


def _count(method: Method, layer: LayerGrouping, picked: Sequence[np.ndarray]) -> Windows:
    """Slots and transfers of each window of one layer."""
    keeps, rows = method.chip.pg.retain_input, []
    for window in picked:
        order = order_turns(layer, window, method.options.slots, method.options.limits)
        transfers = order.transfers_retained if keeps else order.transfers
        rows.append((len(window), int(window.sum()), order.slots, transfers))
    tokens, pairs, slots, transfers = np.array(rows, dtype=np.int64).T
    copies = layer.experts + layer.replicas
    return Windows(tokens, pairs, slots, transfers, len(layer.groups), copies)


def judge(counted: Counted, share: int | None = None) -> float | None:
    """GOPS/mm2, the mean over layers; share: per cent of a core, peripherals; None: the chip's."""
    chip = counted.method.chip
    if share is not None and chip.pg.peripheral_um2 and chip.crossbar.array_um2:
        whole = chip.pg.peripheral_um2 + chip.crossbar.array_um2
        chip = with_peripherals(chip, whole * share // 100)
    found = [gops_per_mm2(op, chip, rows) for op, rows in counted.layers]
    known = [value for value in found if value is not None]
    return fmean(known) if known and len(known) == len(found) else None


def sized(counted: Counted) -> Counted:
    """The method with the open sizes of its chip chosen by the time of its windows."""

    def time_ps(chip: Chip) -> int:
        return sum(int(window_ps(op, chip, rows).sum()) for op, rows in counted.layers)

    chip, _ = choose_sizes(counted.method.chip, time_ps)
    return replace(counted, method=replace(counted.method, chip=chip))


def _at_shares(counted: Counted) -> list[float | None]:
    """GOPS/mm2 at each share of peripherals."""
    return [judge(counted, share) for share in SHARES]


def efficiency_rows(
    workload: Workload,
    routing: Routing,
    chip: Chip,
    options: Options,
    muxes: Sequence[int] = MUXES,
) -> list[EfficiencyRow]:
    """One row per method and mux: GOPS/mm2 and how often (i)'s, with their band.

    Sizes that the chip leaves open are each row's own best, by the time of its windows.
    The two unshared methods stand once, first. `published`: the claim beside which ours stand.
    """
    counted: list[Counted] = []
    for mux in muxes:
        shared = replace(chip, pg=replace(chip.pg, mux=mux))
        some = count_methods(workload, routing, shared, options, shared_only=bool(counted))
        counted += map(sized, some)
    serial = _at_shares(counted[0])
    rows = []
    for one in counted:
        found = _at_shares(one)
        times = [a / b if a and b else None for a, b in zip(found, serial, strict=True)]
        rows.append(
            EfficiencyRow(
                name=one.method.name,
                mux=one.method.chip.pg.mux,
                transfers_per_slot=one.method.chip.bus.transfers_per_slot,
                peripheral_percent=SHARES,
                gops_per_mm2=tuple(found),
                times_unshared_serial=tuple(times),
                published=PUBLISHED,
            )
        )
    return rows

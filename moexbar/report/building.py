"""The report of a compilation, from what every method gave."""

from collections import Counter
from collections.abc import Mapping as ByKey
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from backends.band import area_band
from backends.bounds import lower_bounds
from backends.cost import Area, CostReport, chip_area, cost, moe_area
from backends.programming import write_cost
from compiler.baselines import Unfit
from compiler.fire_groups import fire_groups
from compiler.options import Options
from compiler.placement.spots import crossbars_behind
from ir.chip import Chip, sizes_of
from ir.compiled import Compiled
from ir.cores import core_um
from ir.mapping import LayerGrouping, Mapping, Owner, RoutedOwner
from ir.program import Program
from ir.routing import Routing, overlap
from ir.verify import CHECKS
from ir.workload import Workload
from moexbar import __version__
from moexbar.chips.sheet import chip_sheet
from moexbar.report.certificates import CertificateRow, OrderRow
from moexbar.report.compiled import (
    ExpertCrossbars,
    LayerRow,
    ModelRow,
    Placement,
    Programming,
    Report,
    SideRow,
    Solver,
    UnlikeWidths,
    Window,
)
from moexbar.report.dies import dies_report
from moexbar.report.digital import digital_work
from moexbar.report.executed import Executed, Skipped
from moexbar.report.gains import MethodResult, gains_row, kept_policy
from moexbar.report.methods import (
    AreaRow,
    Banded,
    BusyUnit,
    Energy,
    MethodRow,
    OrderTriedRow,
    Shortage,
    SizeRow,
    SizeTriedRow,
    UnfitRow,
)
from moexbar.report.sizes import RETICLE_MM2, RegionSize, Size
from moexbar.report.stacks import Stacks
from moexbar.report.steps import memory_of, steps_of
from moexbar.report.weights import WeightsRow


def compile_report(
    trace: Routing,
    baselines: Sequence[MethodResult | Unfit],
    ours: MethodResult,
    executed: Executed | Skipped,
) -> Report:
    """What was compiled, by which methods, with what proof.

    ours: of the method that was asked for, which is the one executed; baselines: of the others.
    """
    done, options = ours.compiled, ours.method.options
    workload = done.workload
    return Report(
        moexbar=__version__,
        model=ModelRow(workload.name, workload.sha256, tuple(workload.notes), _experts(workload)),
        chip=chip_sheet(done.chip),
        window=window_row(ours.compiled, ours.method.options, trace),
        expert_choice=any(op.router.capacity is not None for op in workload.moe_layers),
        steps=steps_of(done),
        memory=memory_of(done),
        methods=tuple(method_row(result) for result in (*baselines, ours)),
        layers=_layers(done),
        placement=_placement(done, packed=options.placement.pack),
        checks=tuple(check.name for check in CHECKS),
        solver=Solver(options.limits.seed, options.limits.time_s),
        assumed=tuple(f"{fact.path} = {fact.text}" for fact in done.chip.assumed),
        executed=executed,
        programming=_programming(done),
        weights=WeightsRow.of(workload.account),
        size=_size(done),
        dies=dies_report(done, cost(done.program, done.chip).energy.total_fj),
        gains=gains_row(baselines, ours),
    )


def _experts(workload: Workload) -> Literal["stored", "ternary"]:
    """Whether the routed experts are as the file stores them, or rounded to ternary weights."""
    rounded = any(op.experts[0].up.rounded for op in workload.moe_layers)
    return "ternary" if rounded else "stored"


def window_row(compiled: Compiled, options: Options, trace: Routing) -> Window:
    """The tokens that a program runs, and those that its decisions were fitted to."""
    schedule, workload = compiled.schedule, compiled.workload
    return Window(
        tokens=schedule.tokens,
        prefill=options.shape.prefill,
        batch=options.shape.batch,
        decode=options.shape.decode,
        kv=options.caches.kv,
        go=options.caches.go,
        first_token=int(schedule.trace[0]),
        fit_tokens=options.fit,
        score_tokens=options.score,
        scored_on_fitted=bool(workload.moe_layers) and overlap(options.fit, options.score),
        trace_tokens=trace.tokens,
        sides=tuple(SideRow(s.inputs, s.tokens) for s in workload.sides) or None,
    )


def method_row(result: MethodResult | Unfit) -> MethodRow | UnfitRow:
    """All figures of one method, or what it has too little of."""
    return _unfit(result) if isinstance(result, Unfit) else _figures(result)


def _unfit(found: Unfit) -> UnfitRow:
    method, short = found.method, found.error
    return UnfitRow(
        does_not_fit=Shortage(
            short.resource, short.demand.value, short.supply.value, short.unit, short.shortage
        ),
        method=method.name,
        chip=method.chip.name,
        mux=method.chip.pg.mux,
        grouping=method.options.grouping.solver,
        scheduling=method.options.slots.policy,
    )


def _figures(result: MethodResult) -> MethodRow:
    compiled, options = result.compiled, result.method.options
    figures, bounds = cost(compiled.program, compiled.chip), lower_bounds(compiled.program)
    orders = [layer.order for layer in compiled.schedule.prefill.layers]
    return MethodRow(
        method=result.method.name,
        chip=compiled.chip.name,
        mux=compiled.chip.pg.mux,
        grouping=_grouped_by(compiled) or options.grouping.solver,
        scheduling=kept_policy(compiled, options.slots),
        bus=options.slots.bus,
        buffer=options.slots.buffer,
        slots=sum(order.slots for order in orders),
        mean_slots=result.mean_slots,
        transfers=sum(order.transfers for order in orders),
        transfers_retained=sum(order.transfers_retained for order in orders),
        moe_time_ns=figures.moe_time_ps / 1000,
        time_ns=figures.time_ps / 1000,
        time_bound_ns=bounds.bound_ps / 1000,
        critical_path_ns=bounds.critical_path_ps / 1000,
        segments_ns=bounds.segments_ps / 1000,
        busiest_unit=BusyUnit(bounds.busiest, bounds.busiest_ps / 1000),
        energy_nj=_energy(figures),
        area_mm2=_area(figures.area),
        moe_area_mm2=_area(figures.moe_area),
        moe_gops_per_mm2=_banded(compiled, figures, "moe_gops_per_mm2"),
        gops_per_w_mm2=_banded(compiled, figures, "gops_per_w_mm2"),
        macs=figures.macs,
        instructions=len(compiled.program),
        compile_seconds=round(result.seconds, 3),
        sizes=_sizes(compiled),
        orders=tuple(OrderTriedRow(one.policy, one.time_ps / 1000) for one in compiled.orders),
    )


def _sizes(compiled: Compiled) -> tuple[SizeRow, ...]:
    """Bus, input buffers and return link, with what was tried of them."""
    tried = {choice.size: choice.tried for choice in compiled.sizes}
    return tuple(
        SizeRow(
            size,
            value,
            tuple(SizeTriedRow(one.value, one.time_ps / 1000) for one in tried.get(size, ())),
        )
        for size, value in sizes_of(compiled.chip).items()
    )


def _energy(figures: CostReport) -> Energy:
    energy = figures.energy
    return Energy(
        energy.total_fj / 1e6,
        _millionths(energy.dynamic_fj),
        _millionths(energy.static_fj),
        energy.never_off_fj / 1e6,
    )


def _area(area: Area) -> AreaRow:
    return AreaRow(area.total_um2 / 1e6, _millionths(area.parts_um2), area.missing)


def _millionths(parts: ByKey[str, int]) -> dict[str, float]:
    """Energies of fJ in nJ, areas of um2 in mm2."""
    return {name: value / 1e6 for name, value in parts.items()}


def _banded(compiled: Compiled, figures: CostReport, name: str) -> Banded:
    """The figure with its band over what the preset assumes of areas, where it has one."""
    value = getattr(figures, name)
    ends = area_band(compiled.program, compiled.chip)
    if value is None or ends is None:
        return Banded(value, value, value)
    others = [getattr(_with_area(compiled.program, chip, figures), name) for chip in ends]
    return Banded(value, min(value, *others), max(value, *others))


def _with_area(program: Program, chip: Chip, figures: CostReport) -> CostReport:
    """The figures of `program` on a chip that differs from theirs in areas alone."""
    return replace(figures, area=chip_area(program, chip), moe_area=moe_area(program, chip))


def _layers(compiled: Compiled) -> tuple[LayerRow, ...]:
    rows, homes = [], compiled.workload.expert_homes
    for pairs in compiled.schedule.prefill.layers:
        home = homes[pairs.layer]
        grouping = compiled.mapping.grouping.of(home)
        certificate, order = CertificateRow.of(grouping.certificate), OrderRow.of(pairs.order)
        found = grouping.groups, grouping.replicas, certificate, order
        other = home if home != pairs.layer else None
        digital = digital_work(compiled, pairs.layer) or None
        unlike = _unlike_widths(compiled, grouping)
        rows.append(LayerRow(pairs.layer, *found, unlike, other, digital))
    return tuple(rows)


def _unlike_widths(compiled: Compiled, grouping: LayerGrouping) -> UnlikeWidths | None:
    """Peripheral groups that a layer of unlike experts takes, and the fewest: widest together."""
    op = next(op for op in compiled.workload.moe_layers if op.layer == grouping.layer)
    if len(set(op.hidden_widths)) == 1:
        return None
    blocks = compiled.mapping.blocks
    here = [f for f in fire_groups(blocks, compiled.mapping.grouping) if f.layer == op.layer]
    tiles = Counter[Owner]()
    for block in blocks:
        if block.layer == op.layer and isinstance(block.owner, RoutedOwner):
            tiles[block.owner] += block.tiles
    each = max(len(group) for group in grouping.groups)
    bound = sum(sorted(tiles.values(), reverse=True)[::each])
    return UnlikeWidths(sum(f.pgs for f in here if not f.is_bank), bound)


def _placement(compiled: Compiled, *, packed: bool) -> Placement:
    placement, blocks = compiled.mapping.placement, compiled.mapping.blocks
    known, copies = placement.certificate, compiled.mapping.dense_copies
    return Placement(
        solver=placement.solver,
        mesh=(placement.mesh_width, placement.mesh_height),
        traffic=None if known is None else CertificateRow.of(known),
        expert_crossbars=ExpertCrossbars(
            packed=packed,
            used=compiled.program.inventory.expert_crossbars,
            tiles=sum(b.tiles for b in blocks if isinstance(b.owner, RoutedOwner)),
        ),
        dense_copies=copies if copies > 1 else None,
        stacks=_stacks(compiled.mapping),
    )


def _stacks(mapping: Mapping) -> Stacks | None:
    """What shares peripheral groups, where anything does."""
    found, placement = mapping.stacks, mapping.placement
    if not found.stacks:
        return None
    fires = fire_groups(mapping.blocks, mapping.grouping)
    return Stacks(
        solver=found.solver,
        count=len(found.stacks),
        members=sum(map(len, found.stacks)),
        layers=max(len(region.layers) for region in placement.regions),
        deepest=max(map(crossbars_behind, mapping.blocks, placement.spots)),
        pgs=placement.pgs,
        pgs_alone=sum(fire.pgs for fire in fires),
        met=None if found.certificate is None else CertificateRow.of(found.certificate),
    )


def _size(compiled: Compiled) -> Size | None:
    """Cores, regions and chip in millimetres and reticles, where the area of a core is known."""
    chip, placement = compiled.chip, compiled.mapping.placement
    side = core_um(chip)
    if side is None:
        return None
    core, mm2 = side / 1000, chip_area(compiled.program, chip).total_um2 / 1e6
    sides = [(r.layer, r.width * core, r.height * core) for r in placement.regions]
    return Size(
        core_mm=core,
        mesh_mm=(placement.mesh_width * core, placement.mesh_height * core),
        regions=tuple(RegionSize(n, w, h, round(w * h / RETICLE_MM2, 4)) for n, w, h in sides),
        chip_mm2=mm2,
        reticles=round(mm2 / RETICLE_MM2, 4),
    )


def _programming(compiled: Compiled) -> Programming | None:
    """What writing its weights once takes, as far as the chip's source publishes it."""
    found = write_cost(compiled.mapping, compiled.chip)
    if found is None:
        return None
    return Programming(
        crossbars=found.crossbars,
        rows=found.rows,
        cells=found.cells,
        time_ns=None if found.time_ps is None else found.time_ps / 1000,
        serial_ns=None if found.serial_ps is None else found.serial_ps / 1000,
        energy_nj=None if found.energy_fj is None else found.energy_fj / 1e6,
        endurance=found.endurance,
    )


def _grouped_by(compiled: Compiled) -> str:
    """Who grouped the experts; "" for a model without MoE layers."""
    layers = compiled.mapping.grouping.layers
    return layers[0].solver if layers else ""

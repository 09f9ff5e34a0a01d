"""What a compilation tells: figures of each method, certificates, what rests on assumptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table

from backends.bounds import lower_bounds
from backends.cost import Area, CostReport, area_band, chip_area, cost, moe_area
from compiler.baselines import Method
from ir.chip import Chip
from ir.compiled import Compiled
from ir.mapping import Certificate
from ir.program import Program
from ir.routing import Routing, overlap
from ir.schedule import PairOrder
from ir.verify import CHECKS
from ir.workload import Workload
from moexbar import __version__
from moexbar.chips.show import to_json
from moexbar.console import table
from moexbar.steps_report import memory_row, steps_row


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What one method gave.

    mean_slots: slots of a window in the mean over all windows of the score range; seconds: of the
    compilation.
    """

    method: Method
    compiled: Compiled
    mean_slots: float
    seconds: float


def compile_report(trace: Routing, results: Sequence[MethodResult]) -> dict[str, Any]:
    """All of report.json but the execution: what was compiled, by which methods, with what proof.

    results: of every method, the one that was asked for last.
    """
    done, options = results[-1].compiled, results[-1].method.options
    workload, (start, stop) = done.workload, options.score
    return {
        "moexbar": __version__,
        "model": {
            "name": workload.name,
            "sha256": workload.sha256,
            "notes": list(workload.notes),
            "experts": _experts(workload),
        },
        "chip": to_json(done.chip),
        "window": {
            "tokens": done.schedule.tokens,
            "prefill": options.shape.prefill,
            "batch": options.shape.batch,
            "decode": options.shape.decode,
            "kv": options.caches.kv,
            "go": options.caches.go,
            "first_token": int(done.schedule.trace[0]),
            "fit_tokens": list(options.fit),
            "score_tokens": [start, stop],
            "scored_on_fitted": bool(workload.moe_layers) and overlap(options.fit, options.score),
            "trace_tokens": trace.tokens,
        },
        "expert_choice": any(op.router.capacity is not None for op in workload.moe_layers),
        "steps": steps_row(done),
        "memory": memory_row(done),
        "methods": [method_row(result) for result in results],
        "layers": layer_rows(done),
        "placement": placement_row(done, packed=options.placement.pack),
        "checks": [check.name for check in CHECKS],
        "solver": {"seed": options.limits.seed, "time_s": options.limits.time_s},
        "assumed": [f"{fact.path} = {fact.text}" for fact in done.chip.assumed],
    }


def method_row(result: MethodResult) -> dict[str, Any]:
    """All figures of one method, in ns, nJ and mm2."""
    compiled, options = result.compiled, result.method.options
    figures = cost(compiled.program, compiled.chip)
    orders = [layer.order for layer in compiled.schedule.prefill.layers]
    bounds = lower_bounds(compiled.program)
    return {
        "method": result.method.name,
        "chip": compiled.chip.name,
        "mux": compiled.chip.pg.mux,
        "grouping": options.grouping.solver,
        "scheduling": options.slots.policy,
        "bus": options.slots.bus,
        "buffer": options.slots.buffer,
        "slots": sum(order.slots for order in orders),
        "mean_slots": result.mean_slots,
        "transfers": sum(order.transfers for order in orders),
        "transfers_retained": sum(order.transfers_retained for order in orders),
        "moe_time_ns": figures.moe_time_ps / 1000,
        "time_ns": figures.time_ps / 1000,
        "time_bound_ns": bounds.bound_ps / 1000,
        "critical_path_ns": bounds.critical_path_ps / 1000,
        "segments_ns": bounds.segments_ps / 1000,
        "busiest_unit": {"name": bounds.busiest, "busy_ns": bounds.busiest_ps / 1000},
        "energy_nj": _energy(figures),
        "area_mm2": _area(figures.area),
        "moe_area_mm2": _area(figures.moe_area),
        "moe_gops_per_mm2": _banded(compiled, figures, "moe_gops_per_mm2"),
        "gops_per_w_mm2": _banded(compiled, figures, "gops_per_w_mm2"),
        "macs": figures.macs,
        "instructions": len(compiled.program),
        "compile_seconds": round(result.seconds, 3),
    }


def _energy(figures: CostReport) -> dict[str, Any]:
    return {
        "total": figures.energy.total_fj / 1e6,
        "dynamic": {op: fj / 1e6 for op, fj in figures.energy.dynamic_fj.items()},
        "static": {cause: fj / 1e6 for cause, fj in figures.energy.static_fj.items()},
    }


def _area(area: Area) -> dict[str, Any]:
    return {
        "total": area.total_um2 / 1e6,
        "parts": {name: um2 / 1e6 for name, um2 in area.parts_um2.items()},
        "not_published": list(area.missing),
    }


def _banded(compiled: Compiled, figures: CostReport, name: str) -> dict[str, float | None]:
    """The figure with its band over the preset's assumed split of a core, where it has one."""
    value = getattr(figures, name)
    ends = area_band(compiled.program, compiled.chip)
    if value is None or ends is None:
        return {"value": value, "low": value, "high": value}
    others = [getattr(_with_area(compiled.program, chip, figures), name) for chip in ends]
    return {"value": value, "low": min(value, *others), "high": max(value, *others)}


def _with_area(program: Program, chip: Chip, figures: CostReport) -> CostReport:
    """The figures of `program` on a chip that differs from theirs in areas alone."""
    return replace(figures, area=chip_area(program, chip), moe_area=moe_area(program, chip))


def layer_rows(compiled: Compiled) -> list[dict[str, Any]]:
    """Grouping and slot order of every MoE layer with what is proven about them."""
    rows = []
    for order in compiled.schedule.prefill.layers:
        grouping = compiled.mapping.grouping.of(order.layer)
        rows.append(
            {
                "layer": order.layer,
                "groups": [list(group) for group in grouping.groups],
                "replicas": grouping.replicas,
                "grouping": certificate_row(grouping.certificate),
                "schedule": _order_row(order),
            }
        )
    return rows


def placement_row(compiled: Compiled, *, packed: bool) -> dict[str, Any]:
    """The mesh, who placed the PGs on it, and what is proven about their traffic."""
    placement = compiled.mapping.placement
    known = placement.certificate
    return {
        "solver": placement.solver,
        "mesh": [placement.mesh_width, placement.mesh_height],
        "traffic": certificate_row(known) if known is not None else None,
        "expert_crossbars": {
            "packed": packed,
            "used": compiled.program.inventory.expert_crossbars,
            "tiles": sum(b.tiles for b in compiled.mapping.blocks if b.expert >= 0),
        },
    }


def certificate_row(certificate: Certificate) -> dict[str, Any]:
    """A certificate as plain data."""
    return {
        "objective": certificate.objective,
        "value": certificate.value,
        "bound": certificate.bound,
        "gap": certificate.gap,
        "status": certificate.status,
        "seconds": round(certificate.seconds, 3),
        "seed": certificate.seed,
        "deterministic": certificate.deterministic,
    }


def _order_row(pairs: PairOrder) -> dict[str, Any]:
    order = pairs.order
    return {
        "policy": order.policy,
        "slots": order.slots,
        "slots_bound": order.slots_bound,
        "transfers": order.transfers,
        "transfers_bound": order.transfers_bound,
        "transfers_retained": order.transfers_retained,
        "status": order.status,
        "deterministic": order.deterministic,
    }


def methods_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line per method."""
    shown = table(
        "method",
        "slots",
        "mean\nslots",
        "trans-\nfers",
        "MoE time\nus",
        "time\nus",
        "energy\nuJ",
        "area\nmm2",
        "MoE\nmm2",
        "MoE GOPS\n/mm2",
        "GOPS/W\n/mm2",
    )
    for row in rows:
        last = row is rows[-1]
        shown.add_row(
            row["method"],
            str(row["slots"]),
            f"{row['mean_slots']:.1f}",
            str(row["transfers"]),
            _amount(row["moe_time_ns"] / 1000),
            _amount(row["time_ns"] / 1000),
            _amount(row["energy_nj"]["total"] / 1000),
            area_text(row["area_mm2"]),
            area_text(row["moe_area_mm2"]),
            _figure(row["moe_gops_per_mm2"]["value"]),
            _figure(row["gops_per_w_mm2"]["value"]),
            style="bold" if last else None,
        )
    return shown


def area_text(area: Mapping[str, Any]) -> str:
    """An area; a dash where some part of it is not published."""
    return "-" if area["not_published"] else f"{area['total']:.1f}"


def _amount(value: float) -> str:
    """Two decimals, none where they would make the column wrap."""
    return f"{value:.2f}" if value < 10000 else f"{value:.0f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def layers_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line per MoE layer: what was decided and what is proven."""
    shown = table(
        "layer", "grouping", "gap %", "slots", "bound", "transfers", "bound", "schedule", left=2
    )
    for row in rows:
        grouping, order = row["grouping"], row["schedule"]
        shown.add_row(
            str(row["layer"]),
            grouping["status"],
            f"{100 * grouping['gap']:.2f}",
            str(order["slots"]),
            str(order["slots_bound"]),
            str(order["transfers"]),
            str(order["transfers_bound"]),
            order["status"],
        )
    return shown


def _experts(workload: Workload) -> str:
    """How crossbars hold the routed experts."""
    formats = {op.experts[0].up.format for op in workload.moe_layers}
    return "ternary" if "ternary" in formats else "stored"

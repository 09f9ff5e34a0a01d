"""Area efficiency of an MoE layer from the slots and transfers of its windows, without a program.

Efficiency = 2 x multiply-accumulates of the routed experts and the router, over the time from the
first LOAD to the last COMBINE, over the area of the layer's peripheral groups, crossbars (array and
mux switch) and bus with its return link. The time of a window (docs/model.md, section Cost) is
max(L x t_mvm, X x t_load) + fill with two input buffers or more, L x t_mvm + X x t_load + fill with
one.

That time knows of slots and the bus alone. A program also waits for digital units, links and the
vectors on their way between the stages; `moe_gops_per_mm2` of `backends/cost.py` is the same figure
of a program, and `benchmarks/efficiency.py` prints both.
"""

from dataclasses import dataclass

import numpy as np

from backends.cost import Area, sum_area
from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.errors import InputError
from ir.links import experts_per_token, sent_width
from ir.units import digital_units
from ir.workload import MoELayer, Weight
from ir.workload_text import width_words


@dataclass(frozen=True, eq=False)
class Windows:
    """What the windows of one MoE layer take under some grouping and order: int64 [windows] each.

    pairs: token-expert pairs; transfers: LOADs, those left out that find their input kept.
    groups: of the grouping; copies: experts with their replicas.
    """

    tokens: Ints
    pairs: Ints
    slots: Ints
    transfers: Ints
    groups: int
    copies: int


def layer_area(op: MoELayer, chip: Chip, groups: int, copies: int) -> Area:
    """Peripheral groups and crossbars of the layer's routed experts, its bus and return link.

    And the digital units that its own work asks for, and its groups' input buffers beyond a vector;
    the region's buffer is not known without a program.
    """
    tiles = sum(_stage_tiles(op, chip))
    width = timing.bus_bits_per_ns(chip, op.d_model) or 0
    parts: dict[str, tuple[int, int | None]] = {
        "peripheral groups": (groups * tiles, peripheral_um2(chip)),
        "arrays": (copies * tiles, chip.crossbar.array_um2),
        "mux switches": (copies * tiles if chip.pg.mux > 1 else 0, chip.pg.mux_switch_um2),
        "buses": (width * (1 + _lanes(op, chip)), chip.bus.um2_per_bit_per_ns),
    }
    if chip.digital.accounting == "full":
        dpus = digital_units((op,), groups * tiles, chip)
        parts["input buffers"] = (_input_kib(op, chip, groups), chip.memory.buffer_um2_per_kib)
        parts["digital units"] = (dpus, chip.digital.dpu_um2)
    return sum_area(parts, optional=("digital units",))


def window_ps(op: MoELayer, chip: Chip, windows: Windows) -> Ints:
    """Time of each window, ps: int64 [windows]."""
    slots = windows.slots * timing.mvm_ps(chip, shared=True)
    region = _region(op, chip, windows.groups)
    bus = windows.transfers * timing.load(chip, op.d_model, op.d_model, region).busy_ps
    both = slots + bus if chip.pg.input_buffers == 1 else np.maximum(slots, bus)
    return both + fill_ps(op, chip, windows.groups)


def fill_ps(op: MoELayer, chip: Chip, groups: int) -> int:
    """What a window takes beside its slots: the first LOAD, and the last pair from its first MVM.

    Partial sums, activation, second stage, return and weighted sum. Without a placement a vector
    goes half the perimeter of the smallest square that holds the layer's cores, halved: the
    distance from the port in a corner to the middle.
    """
    up, down = _stage_tiles(op, chip)
    up_cores, down_cores = (-(-pgs // chip.mesh.pgs_per_core) for pgs in (up, down))
    region = _region(op, chip, groups)
    hops = region.columns
    one, d, width = op.experts[0], op.d_model, op.d_expert
    matrices = 2 if op.gated else 1
    k = experts_per_token(op)
    jobs = [
        timing.load(chip, d, d, region),
        _sums(chip, one.up, matrices),
        timing.store(chip, op.d_result, d, _lanes(op, chip), hops),
        _combine(op, chip, k),
    ]
    if one.down is not None:
        jobs += [
            timing.xfer(chip, matrices * width, hops, up_cores),
            timing.act(chip, width, op.passes),
            timing.xfer(chip, width, hops, down_cores),
            timing.mvm(chip, timing.full(chip, 1), shared=True),
            _sums(chip, one.down, 1),
        ]
    if op.curved:
        jobs.append(timing.act(chip, width, op.passes))
    if op.gated:
        jobs.append(timing.add(chip, width))
    return sum(job.duration_ps for job in jobs)


def gops_per_mm2(op: MoELayer, chip: Chip, windows: Windows) -> float | None:
    """Area efficiency over all windows together; None where an area is not published."""
    area = layer_area(op, chip, windows.groups, windows.copies)
    spent = int(window_ps(op, chip, windows).sum())
    if area.missing or not area.total_um2 or not spent:
        return None
    macs = int(windows.pairs.sum()) * op.experts[0].macs
    macs += int(windows.tokens.sum()) * op.d_model * op.router.outputs
    return 2 * macs / spent * 1000 / (area.total_um2 / 1e6)


def _region(op: MoELayer, chip: Chip, groups: int) -> timing.Extent:
    """Size of the layer's region without a placement: a square of what its experts take."""
    return timing.square(chip, groups * sum(_stage_tiles(op, chip)))


def _sums(chip: Chip, weight: Weight, matrices: int) -> timing.Cost:
    """Partial sums of one stage, of `matrices` equal matrices that fire together."""
    per_tile = chip.crossbar.weights_per_row(weight)
    columns = matrices * -(-weight.columns // per_tile)
    rows = -(-weight.rows // chip.crossbar.rows)
    return timing.accumulate(chip, rows, columns, per_tile, bias=bool(weight.bias))


def _input_kib(op: MoELayer, chip: Chip, groups: int) -> int:
    """KiB that the groups' stages hold beyond the first vector, which is their own register."""
    one = op.experts[0]
    rows = [sent_width(op, stage, w.rows) for stage, w in enumerate((one.up, one.down)) if w]
    vectors = groups * sum(-(-n * chip.mvm.input_bits // 8) for n in rows)
    return -(-(chip.pg.input_buffers - 1) * vectors // 1024)


def _stage_tiles(op: MoELayer, chip: Chip) -> tuple[int, int]:
    """Crossbars that one expert's stages fire: up (and gate), down, 0 where there is none.

    Raises InputError for experts of unlike widths.
    """
    one = op.experts[0]
    if len(set(op.hidden_widths)) > 1:
        raise InputError(
            op.name,
            f"experts of {width_words(op)}, expected one width",
            "compile the model: the figures of a program count every expert by itself",
        )
    gate = _tiles(one.gate, chip) if one.gate else 0
    return _tiles(one.up, chip) + gate, _tiles(one.down, chip) if one.down else 0


def _tiles(weight: Weight, chip: Chip) -> int:
    per_tile = chip.crossbar.weights_per_row(weight)
    return -(-weight.rows // chip.crossbar.rows) * -(-weight.columns // per_tile)


def _combine(op: MoELayer, chip: Chip, k: int) -> timing.Cost:
    """The sum of k weighted outputs, or these side by side in one pass."""
    vectors, weighted = (1, int(op.weights_outputs)) if op.apart == "outputs" else (k, k)
    scaled = op.scale != 1.0
    return timing.combine(chip, vectors, weighted, op.d_out, op.d_expert, scaled=scaled)


def _lanes(op: MoELayer, chip: Chip) -> int:
    return chip.bus.return_lanes or experts_per_token(op)

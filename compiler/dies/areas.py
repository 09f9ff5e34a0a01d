"""What a fire group, a region and a home take of a die, before any program is there.

Peripheral groups, arrays, buses, digital and attention units are what the cost report counts, with
sizes that the chip leaves open as large as they may become. How
much the buffers will hold is not known yet: some vectors for each token of the window, at homes and
on other dies, and the keys and values that a chip keeps at homes. What the program then takes is
checked (`backends.dies`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.fire_groups import FireGroup
from compiler.sizing import with_largest_sizes
from ir import timing
from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.errors import InputError
from ir.links import bus_width, return_lanes, sent_width
from ir.mapping import Grouping, RoutedOwner
from ir.units import attention_units, digital_units, operators_of
from ir.workload import Workload, has_products

HELD = 3  # widest vectors of every token of the window that a home's buffer is taken to hold
AWAY = 2  # vectors of the model's width that the buffer of a region on another die is


@dataclass(frozen=True, eq=False)
class Areas:
    """um2 of regions and homes, by layer; of fire groups, when asked.

    of_region: on every die that the layer is on; at_home: on its home beside that.
    """

    workload: Workload
    chip: Chip
    grouping: Grouping
    of_region: Mapping[int, int]
    at_home: Mapping[int, int]

    def of_fire(self, fire: FireGroup) -> int:
        """Peripheral groups, the crossbars behind them, and input buffers."""
        chip, first = self.chip, fire.blocks[0]
        experts, switch = 1, 0
        if isinstance(first.owner, RoutedOwner):
            experts = len(self.grouping.of(fire.layer).groups[fire.number])
            switch = chip.pg.mux_switch_um2 if chip.pg.mux > 1 else 0
        crossbar = (chip.crossbar.array_um2 or 0) + switch
        sent = sent_width(self.workload.operators[first.operator], fire.stage, first.weight.rows)
        entry = -(-sent * chip.mvm.input_bits // 8)
        more = _kib_um2(chip, entry * (chip.pg.input_buffers - 1))
        return fire.pgs * ((peripheral_um2(chip) or 0) + experts * crossbar) + more


def areas_of(
    workload: Workload,
    grouping: Grouping,
    fires: tuple[FireGroup, ...],
    chip: Chip,
    prefill: int,
    tokens: int,
    copies: int,
) -> Areas:
    """What the regions of a mapping take. prefill: of a sequence; tokens: of the window.

    Raises InputError where the areas of a crossbar are not published.
    """
    if peripheral_um2(chip) is None or chip.crossbar.array_um2 is None:
        raise InputError(
            f"chip {chip.name}",
            "several dies, but the areas of a crossbar and its circuits are not published",
            "state pg.peripheral_um2 and crossbar.array_um2",
        )
    chip = with_largest_sizes(chip)
    pgs: dict[int, int] = {}
    for fire in fires:
        pgs[fire.layer] = pgs.get(fire.layer, 0) + fire.pgs
    of_region, at_home = dict[int, int](), dict[int, int]()
    for layer in sorted(pgs):
        width = timing.bus_bits_per_ns(chip, bus_width(workload, layer)) or 0
        lanes = 1 + return_lanes(workload, layer, chip)
        here = operators_of(workload, layer)
        every, away = (
            digital_units(ops, pgs[layer], chip, copies) * (chip.digital.dpu_um2 or 0)
            for ops in (here, [op for op in here if has_products(op)])
        )
        of_region[layer] = width * lanes * chip.bus.um2_per_bit_per_ns + away
        sent = AWAY * bus_width(workload, layer) * chip.mvm.output_bits
        of_region[layer] += _kib_um2(chip, tokens * -(-sent // 8))
        attention = attention_units(workload, layer, prefill, chip, copies)
        at_home[layer] = attention * (chip.digital.mha_um2 or 0) + max(every - away, 0)
        at_home[layer] += _kib_um2(chip, tokens * _held_bytes(workload, layer, chip))
    return Areas(workload, chip, grouping, of_region, at_home)


def _held_bytes(workload: Workload, layer: int, chip: Chip) -> int:
    """Bytes that a home's buffer is taken to hold of each token."""
    given = set(workload.outputs)
    for op in workload.digital():
        given |= set(op.inputs if op.kind == "join" and given & set(op.outputs) else ())
    here = (op for op in operators_of(workload, layer) if not given & set(op.outputs))
    values = HELD * max((op.width for op in here), default=0)
    if chip.memory.kv == "buffers":
        every = workload.attentions_by_region.get(layer, ())
        values += sum(2 * op.kv_heads * op.head_dim for op in every)
    return -(-values * chip.mvm.output_bits // 8)


def _kib_um2(chip: Chip, held: int) -> int:
    """Area of so many bytes of a buffer."""
    return -(-held // 1024) * chip.memory.buffer_um2_per_kib

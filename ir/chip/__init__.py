"""The chip: crossbars, the peripheral groups that share circuits, buses, mesh, digital units.

Integers: picoseconds, femtojoules, square micrometres, microwatts, bits. `None` where the source
publishes no value; a report that needs it says so. The values come from TOML presets
(moexbar/chips), where each number stands beside its source; `facts` carries those along.
"""

from ir.chip.chip import Chip
from ir.chip.crossbar import Accumulate, Crossbar, Mvm, PeripheralGroup, Split, Write
from ir.chip.dies import Dies, Link, LinkKind, Pairs, TopologyKind
from ir.chip.digital import Digital
from ir.chip.noise import Noise
from ir.chip.origin import Change, Fact, Headline
from ir.chip.region import VALUES_PER_PACKET, Bus, Memory, Mesh, Wires
from ir.chip.sizes import FIRST, SIZES, Size, sizes_of

__all__ = [
    "FIRST",
    "SIZES",
    "VALUES_PER_PACKET",
    "Accumulate",
    "Bus",
    "Change",
    "Chip",
    "Crossbar",
    "Dies",
    "Digital",
    "Fact",
    "Headline",
    "Link",
    "LinkKind",
    "Memory",
    "Mesh",
    "Mvm",
    "Noise",
    "Pairs",
    "PeripheralGroup",
    "Size",
    "Split",
    "TopologyKind",
    "Wires",
    "Write",
    "sizes_of",
]

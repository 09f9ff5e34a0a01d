"""What a system of several dies is made of: one die, and the links between dies."""

from dataclasses import dataclass
from typing import Literal

TopologyKind = Literal["mesh", "ring", "all-to-all", "table"]


@dataclass(frozen=True)
class Dies:
    """Equal dies, and how they are joined.

    area_um2: of one die, link interfaces included; width_um, height_um: its sides, 0 where only the
    area is said. count: how many there are, 0 = as many as the model needs. columns: of a mesh of
    dies, 0 = near-square. table: pairs of dies that are joined, of topology `table`.
    """

    area_um2: int
    width_um: int = 0
    height_um: int = 0
    count: int = 0
    topology: TopologyKind = "mesh"
    columns: int = 0
    table: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Link:
    """What joins two neighbouring dies: the same bandwidth in both directions.

    bits_per_ns_per_mm: of one direction, over a millimetre of a die's edge; edge_um: edge that a
    link takes. latency_ps: from the last bit sent to the last one received; bit_fj: energy of a
    bit, both ends together; um2_per_mm: area of the interface at one end, for each millimetre of
    edge.
    """

    kind: str
    bits_per_ns_per_mm: int
    edge_um: int
    latency_ps: int
    bit_fj: int
    um2_per_mm: int

    @property
    def bits_per_ns(self) -> int:
        """Bandwidth of one direction of one link, at least 1."""
        return max(1, self.bits_per_ns_per_mm * self.edge_um // 1000)

    @property
    def end_um2(self) -> int:
        """Area of the interface at one end of a link."""
        return -(-self.um2_per_mm * self.edge_um // 1000)

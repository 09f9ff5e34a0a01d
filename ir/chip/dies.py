"""What a system of several dies is made of: one die, and the links between dies."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

TopologyKind = Literal["mesh", "ring", "all-to-all", "table"]
LinkKind = Literal["own", "ucie-2d", "ucie-2.5d", "ucie-3d", "hypertransport", "board"]
Pairs = tuple[tuple[int, int], ...]


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
    table: Pairs = ()


@dataclass(frozen=True)
class Link:
    """What joins two neighbouring dies: the same bandwidth in both directions.

    bits_per_ns_per_mm: of one direction, over a millimetre of a die's edge; edge_um: edge that a
    link takes. latency_ps: from the last bit sent to the last one received; bit_fj: energy of a
    bit, both ends together; um2_per_mm: area of the interface at one end, for each millimetre of
    edge. Of dies on top of each other a millimetre of edge stands for a square millimetre. kind:
    which link the numbers are of; own = of none that is known by name.
    """

    kind: LinkKind
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


def faults(dies: Dies, link: Link) -> Iterator[str]:
    """What no dies, or no links between them, can be, each as a chip file names it."""
    yield from _faulty_sizes(dies, link)
    if dies.topology != "mesh" and dies.columns:
        yield f"die.columns: {dies.columns}, expected auto where die.topology is {dies.topology}"
    if dies.count and dies.columns > dies.count:
        yield f"die.columns: {dies.columns}, expected at most die.count, {dies.count}"
    if dies.topology != "table" and dies.table:
        yield f"die.links: given, but die.topology is {dies.topology}; expected table, or no links"
    if dies.topology == "table":
        yield from _faulty_table(dies)


def _faulty_sizes(dies: Dies, link: Link) -> Iterator[str]:
    sides = f"{dies.width_um} x {dies.height_um} um"
    if (dies.width_um == 0) != (dies.height_um == 0):
        yield f"die: {sides}, expected both width and height, or neither"
    positive = {
        "die.area": dies.area_um2,
        "link.bits_per_ns_per_mm": link.bits_per_ns_per_mm,
        "link.edge": link.edge_um,
    }
    for path, value in positive.items():
        if value < 1:
            yield f"{path}: {value}, expected at least 1"
    natural = {
        "die.width": dies.width_um,
        "die.height": dies.height_um,
        "die.count": dies.count,
        "die.columns": dies.columns,
        "link.latency": link.latency_ps,
        "link.bit": link.bit_fj,
        "link.um2_per_mm": link.um2_per_mm,
    }
    for path, value in natural.items():
        if value < 0:
            yield f"{path}: {value}, expected at least 0"
    if dies.width_um and dies.width_um * dies.height_um != dies.area_um2:
        product = dies.width_um * dies.height_um
        yield f"die.area: {dies.area_um2} um2, but {sides} are {product}; expected both to agree"
    if dies.count != 1 and link.end_um2 >= dies.area_um2:
        yield (
            f"die.area: {dies.area_um2} um2, but the end of one link takes {link.end_um2}; "
            "expected more"
        )
    if dies.count != 1 and dies.width_um and link.edge_um > max(dies.width_um, dies.height_um):
        yield f"link.edge: {link.edge_um} um, expected at most a side of a die, {sides}"


def _faulty_table(dies: Dies) -> Iterator[str]:
    """Pairs that are none, and dies that no pairs join; how many dies, where it is stated."""
    if not dies.table and dies.count != 1:
        yield "die.links: none, expected pairs of dies that are joined, such as [[0, 1], [1, 2]]"
    seen: set[frozenset[int]] = set()
    for pair in dies.table:
        text = f"die.links: {list(pair)}"
        if pair[0] == pair[1]:
            yield f"{text} joins a die to itself, expected two dies"
        if min(pair) < 0 or (dies.count and max(pair) >= dies.count):
            last = f" to {dies.count - 1}" if dies.count else ""
            yield f"{text}, expected dies from 0{last}"
        if frozenset(pair) in seen:
            yield f"{text} given twice, expected each pair once"
        seen.add(frozenset(pair))
    apart = _apart(dies)
    if apart:
        named = ", ".join(map(str, apart[:5])) + ", ..." * (len(apart) > 5)
        yield f"die.links: no way from die 0 to {named}, expected every die to be joined"


def _apart(dies: Dies) -> list[int]:
    """Dies without a way to die 0; of a number that is not stated those that pairs name."""
    near: dict[int, list[int]] = {}
    for a, b in dies.table:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    reached, todo = {0}, [0]
    while todo:
        new = [die for die in near.get(todo.pop(), ()) if die not in reached]
        reached.update(new)
        todo.extend(new)
    return sorted(set(range(dies.count) if dies.count else near) - reached)

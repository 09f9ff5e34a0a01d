"""What `moexbar reside` tells: experts on crossbars where not all have room there."""

from dataclasses import dataclass, field
from typing import Literal

from compiler.residency.names import Objective, Share
from moexbar.report.certificates import CertificateRow
from moexbar.report.plain import FLAT, Document

Method = Literal["cp-sat", "greedy", "most-used", "none", "lru", "lfu", "belady"]


@dataclass(frozen=True)
class DigitalPair:
    """An expert that is not resident.

    layer: decoder layer.
    expert: its number.
    """

    layer: int
    expert: int


@dataclass(frozen=True)
class PoolRow:
    """A pool of slots for experts, and its residents by cp-sat.

    layer: decoder layer whose experts share it; null: those of all layers.
    room: experts that it holds, or crossbars where experts differ in size.
    residents: how many of its experts are resident.
    certificate: what is proven about them, on the fit range.
    """

    layer: int | None
    room: int
    residents: int
    certificate: CertificateRow = field(metadata=FLAT)


@dataclass(frozen=True)
class CountRow:
    """What a range of the trace comes to.

    tokens: of the range.
    accesses: of experts, one for each expert, window of tokens and layer that need it.
    misses: accesses of experts that were not there.
    miss_percent: of the accesses.
    passages: tokens at a layer.
    stalls: of these, those that waited for at least one expert.
    stall_percent: of the passages.
    writes: of experts into slots.
    bypassed: misses that were computed digitally and not written.
    writes_per_million: of a cell of the mean slot, in a million tokens.
    most_writes_per_million: of a cell of the slot that was written most.
    """

    tokens: int
    accesses: int
    misses: int
    miss_percent: float
    passages: int
    stalls: int
    stall_percent: float
    writes: int
    bypassed: int
    writes_per_million: float
    most_writes_per_million: float


@dataclass(frozen=True)
class ResidentCostRow:
    """Cost of the score range with cells of a kind.

    cells: kind of cell.
    wait_low_ns: of a token in the mean, for missed experts in all layers, as much written at once
        as asked for or everything; null where not published or no model was given.
    wait_high_ns: the same with one crossbar of the chip written at a time.
    energy_nj: of a token in the mean, for reading, writing and digital products of missed experts.
    years_low: until the least endurance is used up in the slot that is written most; null without
        writes or a rate.
    years_high: until the most endurance is used up with writes spread evenly over slots.
    """

    cells: str
    wait_low_ns: float | None
    wait_high_ns: float | None
    energy_nj: float | None
    years_low: float | None
    years_high: float | None


@dataclass(frozen=True)
class ResidentRow:
    """One way to have residents.

    method: cp-sat, greedy (SlimCaching's), most-used and none never change; lru, lfu and belady
        (who knows what comes: no other has fewer misses) do.
    fit: counts on the fit range, to which the unchanging ones are fitted.
    score: counts on the score range.
    costs: of the score range, by kind of cell.
    """

    method: Method
    fit: CountRow
    score: CountRow
    costs: tuple[ResidentCostRow, ...]


@dataclass(frozen=True)
class CellRow:
    """A kind of cell.

    cells: its name.
    row_ns: time to write a row of a crossbar; null where not published.
    cell_pj: energy to write a cell; null where not published.
    endurance_low: writes that a cell survives, the least that is published.
    endurance_high: the most that is published.
    source: of these.
    """

    cells: str
    row_ns: float | None
    cell_pj: float | None
    endurance_low: int | None
    endurance_high: int | None
    source: str


@dataclass(frozen=True)
class ResideReport(Document):
    """Residents of a chip with too few crossbars: `moexbar reside --json`, and its file.

    `moexbar compile --digital-experts` reads `digital` of it.

    objective: what cp-sat minimises.
    share: whether each layer has room of its own, or all have one pool.
    capacity: fraction of the experts that there is room for.
    prefill: tokens of a window, which access an expert once in each layer; 1: decoding.
    bypass: whether a missed expert may be computed digitally and left unwritten.
    writers: crossbars written at once; null: from all to one, as a band.
    rate: tokens a second that lifetimes are for; null: none asked for.
    chip: its name.
    seed: of the solver.
    interrupted: whether cp-sat was ended early, with the best until then.
    experts: of all layers.
    pools: residents by cp-sat, pool by pool.
    methods: cp-sat first, then the rules, then those that change.
    cells: kinds of cells that costs are for.
    digital: experts that are not resident by cp-sat.
    """

    objective: Objective
    share: Share
    capacity: float
    prefill: int
    bypass: bool
    writers: int | None
    rate: float | None
    chip: str
    seed: int
    interrupted: bool
    experts: int
    pools: tuple[PoolRow, ...]
    methods: tuple[ResidentRow, ...]
    cells: tuple[CellRow, ...]
    digital: tuple[DigitalPair, ...]

    def method(self, name: Method) -> ResidentRow:
        """The row of a method; KeyError where it is not told."""
        return {row.method: row for row in self.methods}[name]

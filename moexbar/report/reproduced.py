"""What `moexbar reproduce` tells: the published runs, ours beside them, and areas."""

from dataclasses import dataclass, field

from moexbar.report.plain import FLAT, OPTIONAL, Document


@dataclass(frozen=True)
class Figures:
    """What the reference reports of a run.

    time_ns: of the run.
    energy_nj: of the run.
    adds_ns: of partial sums, over all digital units.
    mvm_energy_nj: of the crossbars that fired, without bringing inputs and taking outputs.
    mvm_count: crossbars that fired.
    dram_kv_ns: of reads of keys and values.
    """

    time_ns: float
    energy_nj: float
    adds_ns: float
    mvm_energy_nj: float
    mvm_count: int
    dram_kv_ns: float


@dataclass(frozen=True)
class RunRow:
    """One run, the reference's own where it is known.

    name: what is run.
    figures: ours.
    reference: the reference simulator's; only beside runs that add as it does.
    seconds: from the shapes to the end of checks and simulation.
    instructions: of the program.
    """

    name: str
    figures: Figures = field(metadata=FLAT)
    reference: Figures | None = field(default=None, metadata=OPTIONAL, kw_only=True)
    seconds: float
    instructions: int


@dataclass(frozen=True)
class TimeAndEnergy:
    """What the reference tells of a generation.

    time_ns: of the run.
    energy_nj: of the run.
    """

    time_ns: float
    energy_nj: float


@dataclass(frozen=True)
class CacheRow:
    """A generation alone with some caches.

    accumulate: where partial sums are added: `dpu`, digital units, or `pg`, peripheral groups.
    generated: tokens.
    kv: whether keys and values are kept.
    go: whether router scores or the experts' outputs are kept.
    figures: ours.
    time_gain: time without a cache over this one's.
    energy_gain: the same of energy.
    reference: the reference simulator's; null where it has none.
    seconds: from the shapes to the end of checks and simulation.
    instructions: of the program.
    """

    accumulate: str
    generated: int
    kv: bool
    go: bool
    figures: Figures = field(metadata=FLAT)
    time_gain: float
    energy_gain: float
    reference: TimeAndEnergy | None
    seconds: float
    instructions: int


@dataclass(frozen=True)
class EfficiencyRow:
    """Area efficiency of the MoE layers of a model under one method.

    name: of the method.
    mux: expert crossbars behind one peripheral group.
    transfers_per_slot: of the bus; null: unlimited.
    peripheral_percent: of a core that are peripherals, for each of the figures.
    gops_per_mm2: mean over the layers; null where an area is not published.
    times_unshared_serial: those over the first method's.
    published: the claim beside which they stand, up to so many times.
    """

    name: str
    mux: int
    transfers_per_slot: int | None
    peripheral_percent: tuple[int, ...]
    gops_per_mm2: tuple[float | None, ...]
    times_unshared_serial: tuple[float | None, ...]
    published: float


@dataclass(frozen=True)
class ReproduceReport(Document):
    """The published runs of arXiv 2602.10254 and ours: `moexbar reproduce --json`.

    seed: of the router, which is random.
    warm_up_seconds: of a first run, which loads or compiles the loops.
    rows: the reference's runs, added as it adds.
    in_pg: the same runs with partial sums added in the peripheral groups.
    caches: generations with each choice of caches.
    area_efficiency: of the shipped token-choice model; none where it is not installed.
    """

    seed: int
    warm_up_seconds: float
    rows: tuple[RunRow, ...]
    in_pg: tuple[RunRow, ...]
    caches: tuple[CacheRow, ...]
    area_efficiency: tuple[EfficiencyRow, ...]

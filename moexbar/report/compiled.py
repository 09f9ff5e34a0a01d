"""report.json: what was compiled, by which methods, and with what proof."""

from dataclasses import dataclass, field
from typing import Literal

from ir.lengths import Tokens
from moexbar.report.banded import BandsRow
from moexbar.report.certificates import CertificateRow, OrderRow
from moexbar.report.chips import ChipSheet
from moexbar.report.dies import DiesReport
from moexbar.report.digital import DigitalWork
from moexbar.report.executed import Executed, Skipped
from moexbar.report.jittered import JitterRow
from moexbar.report.methods import GainsRow, MethodRow, UnfitRow
from moexbar.report.plain import OPTIONAL, Document
from moexbar.report.sizes import Size
from moexbar.report.stacks import Stacks
from moexbar.report.weights import WeightsRow


@dataclass(frozen=True)
class ModelRow:
    """The model.

    name: its file's, without the ending.
    sha256: of the file.
    notes: what the front end had to say about it.
    experts: whether crossbars hold them as stored or rounded to three values.
    """

    name: str
    sha256: str
    notes: tuple[str, ...]
    experts: Literal["stored", "ternary"]


@dataclass(frozen=True)
class SideRow:
    """A side of the model.

    inputs: those of the model's inputs that say what its tokens are.
    prefill: its tokens of one sequence, together.
    """

    inputs: tuple[str, ...]
    prefill: int


@dataclass(frozen=True)
class Window:
    """The tokens that the program runs, and which tokens decisions were fitted to.

    tokens: of all sequences and steps.
    prefill: of one sequence, together.
    batch: sequences.
    decode: steps after the prefill.
    kv: whether keys and values are kept.
    go: whether router scores, or the experts' outputs, are kept.
    first_token: place in the routing trace of the window's first token.
    fit_tokens: first and end of the range that decisions were fitted to.
    score_tokens: first and end of the range whose first window this is.
    scored_on_fitted: whether the two overlap.
    trace_tokens: of the whole routing trace.
    sides: those of an encoder and a decoder with sequences of different lengths; `prefill` and
        `tokens` are then of the longest. Left out where all lengths are one.
    """

    tokens: int
    prefill: int
    batch: int
    decode: int
    kv: bool
    go: bool
    first_token: int
    fit_tokens: tuple[int, int]
    score_tokens: tuple[int, int]
    scored_on_fitted: bool
    trace_tokens: int
    sides: tuple[SideRow, ...] | None = field(default=None, metadata=OPTIONAL)

    @property
    def each(self) -> Tokens:
        """Tokens of one sequence in all, of each side where those differ."""
        if self.sides:
            return tuple(side.prefill for side in self.sides)
        return self.prefill + self.decode


@dataclass(frozen=True)
class Decoding:
    """Decode steps in the mean, from the last SAMPLE of the prefill on.

    tokens_per_s: tokens of all sequences in a second.
    step_ns: time in which every sequence goes on by a token.
    chain_ns: the longest chain of instructions of a step that read each other's values.
    busiest_ns: busy time, in a step, of the unit that works most.
    busiest: that unit.
    """

    tokens_per_s: float
    step_ns: float
    chain_ns: float
    busiest_ns: float
    busiest: str

    @property
    def summary(self) -> str:
        """In words: the pace, and what binds it."""
        least = max(self.chain_ns, self.busiest_ns)
        by = self.busiest if self.busiest_ns >= self.chain_ns else "the chain of one token"
        return (
            f"decoding: {self.tokens_per_s:,.0f} tokens/s, a step in {self.step_ns / 1000:.2f} us; "
            f"at least {least / 1000:.2f} us, by {by}"
        )


@dataclass(frozen=True)
class Steps:
    """When steps end.

    prefill_ns: of the prefill.
    decode_ns: of each decode step, from the end of the one before.
    decoding: the pace of decode steps; null where there are none.
    """

    prefill_ns: float
    decode_ns: tuple[float, ...]
    decoding: Decoding | None


@dataclass(frozen=True)
class Buffer:
    """The buffer of one region.

    name: as in the program's buffer table.
    peak_bytes: the most it holds at a time.
    """

    name: str
    peak_bytes: int


@dataclass(frozen=True)
class InputBuffer:
    """The input buffer of a group.

    name: of the unit.
    bytes: that it holds.
    """

    name: str
    bytes: int


@dataclass(frozen=True)
class Memory:
    """What is held where.

    kv_bytes: keys and values in DRAM at the end.
    kv_buffer_bytes: keys and values in the buffers of regions at the end, which `buffers` have.
    go_bytes: router scores and experts' outputs in DRAM at the end.
    paper_go_bytes: the formula of arXiv 2602.10254 for the same layers, sequences and tokens.
    dram_bytes: that the chip has; null where not stated.
    buffers: of the regions.
    input_buffers: of the groups.
    """

    kv_bytes: int
    kv_buffer_bytes: int
    go_bytes: int
    paper_go_bytes: int
    dram_bytes: int | None
    buffers: tuple[Buffer, ...]
    input_buffers: tuple[InputBuffer, ...]


@dataclass(frozen=True)
class UnlikeWidths:
    """Peripheral groups of the routed experts of a layer whose widths differ.

    pgs: as many for each group of experts as its widest one has tiles.
    pgs_bound: no grouping takes fewer with at most as many experts to a group.
    """

    pgs: int
    pgs_bound: int


@dataclass(frozen=True)
class LayerRow:
    """One MoE layer: groups and slot order, and what is proven about them.

    layer: decoder layer.
    groups: experts of each group.
    replicas: copies of experts beyond the first of each.
    grouping: certificate of the groups.
    schedule: the window's slot order.
    unlike_widths: what that costs, where its experts have unlike widths.
    experts_of: layer whose experts it works on, where that is another: the groups are of both.
    digital: its experts that digital units compute; only where there are some.
    """

    layer: int
    groups: tuple[tuple[int, ...], ...]
    replicas: int
    grouping: CertificateRow
    schedule: OrderRow
    unlike_widths: UnlikeWidths | None = field(default=None, metadata=OPTIONAL)
    experts_of: int | None = field(default=None, metadata=OPTIONAL)
    digital: tuple[DigitalWork, ...] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class ExpertCrossbars:
    """Crossbars of the routed experts.

    packed: whether ragged tiles may share one.
    used: crossbars.
    tiles: that they hold.
    """

    packed: bool
    used: int
    tiles: int


@dataclass(frozen=True)
class Placement:
    """Where the peripheral groups are.

    solver: who placed them.
    mesh: cores in a row, rows of cores.
    traffic: certificate of packets x hops over the fitted tokens; null where there are none.
    expert_crossbars: of the routed experts.
    dense_copies: of what is no routed expert's; left out where each stands once.
    stacks: what shares peripheral groups beyond groups of experts; left out where nothing does.
    """

    solver: str
    mesh: tuple[int, int]
    traffic: CertificateRow | None
    expert_crossbars: ExpertCrossbars
    dense_copies: int | None = field(default=None, metadata=OPTIONAL)
    stacks: Stacks | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class Programming:
    """Writing the weights into the crossbars, once; before, and not part of, what the program does.

    crossbars: that hold weights.
    rows: of those crossbars that hold weights.
    cells: of those rows that hold weights.
    time_ns: at least: all peripheral groups at once, the crossbars behind one in turn; null where
        not published.
    serial_ns: at most: one row of the whole chip at a time; null where not published.
    energy_nj: of the cells; null where not published.
    endurance: how often it can be done, a write of each cell every time; null where not published.
    """

    crossbars: int
    rows: int
    cells: int
    time_ns: float | None
    serial_ns: float | None
    energy_nj: float | None
    endurance: int | None


@dataclass(frozen=True)
class Solver:
    """Limits of every solve.

    seed: of the search.
    time_s: deterministic time, about seconds on one core; proofs of groups have four times that, of
        all layers together.
    """

    seed: int
    time_s: float


@dataclass(frozen=True)
class Report(Document):
    """A compilation: report.json and `moexbar compile --json`.

    moexbar: version.
    model: that was compiled.
    chip: that it was compiled for.
    window: of tokens that the program runs.
    expert_choice: whether experts choose tokens in some layer.
    steps: when they end.
    memory: what is held where.
    methods: figures of each, or what it is that does not fit; the one that was asked for last.
    layers: MoE layers by the method that was asked for.
    placement: by that method.
    checks: names of those that mapping and program passed.
    solver: its limits.
    assumed: numbers of the chip without a published value, as `FIELD = VALUE`.
    executed: what executing the program gave, or why it was not executed.
    programming: what writing the weights once takes; null where the chip file has no `write` table.
    weights: where the numbers that the model file stores go; not in reports of earlier versions.
    size: in millimetres and reticles; null where the area of a core is not published, and left out
        of reports of earlier versions.
    gains: over other methods; left out without any.
    bands: ranges of the figures over the chip's assumed numbers; left out where not asked for.
    jitter: what of the times and gains is the schedule's own noise; left out where not asked for.
    dies: how full they are, and what goes between them; left out where the chip is one die.
    """

    moexbar: str
    model: ModelRow
    chip: ChipSheet
    window: Window
    expert_choice: bool
    steps: Steps
    memory: Memory
    methods: tuple[UnfitRow | MethodRow, ...]
    layers: tuple[LayerRow, ...]
    placement: Placement
    checks: tuple[str, ...]
    solver: Solver
    assumed: tuple[str, ...]
    executed: Executed | Skipped
    programming: Programming | None = None
    weights: WeightsRow | None = field(default=None, metadata=OPTIONAL)
    size: Size | None = field(default=None, metadata=OPTIONAL)
    gains: GainsRow | None = field(default=None, metadata=OPTIONAL)
    bands: BandsRow | None = field(default=None, metadata=OPTIONAL)
    jitter: JitterRow | None = field(default=None, metadata=OPTIONAL)
    dies: DiesReport | None = field(default=None, metadata=OPTIONAL)

    def _repr_html_(self) -> str:
        """For a notebook: the methods side by side, and what is proven."""
        from moexbar.report.tables import report_html  # which shows reports

        return report_html(self)

"""What a routing trace alone tells: its loads, and its experts grouped, ordered and compared."""

from dataclasses import dataclass, field
from typing import Literal

from ir.arrivals import Delays
from ir.html import table
from moexbar.report.certificates import CertificateRow, OrderRow
from moexbar.report.plain import FLAT, OPTIONAL, Document


@dataclass(frozen=True)
class LoadRow:
    """How the tokens of a trace spread over the experts of a layer.

    layer: decoder layer.
    experts: routed experts.
    pairs: of a token and an expert.
    hottest: the expert with most tokens.
    hottest_over_mean: its tokens over the mean expert's.
    """

    layer: int
    experts: int
    pairs: int
    hottest: int
    hottest_over_mean: float


@dataclass(frozen=True)
class ProfileReport(Document):
    """A recorded trace: `moexbar profile --json`.

    tokens: of the trace.
    layers: MoE layers.
    """

    tokens: int
    layers: tuple[LoadRow, ...]


@dataclass(frozen=True)
class Taken:
    """What groups take on windows of the trace, in sums.

    windows: that were ordered, each in the fewest slots.
    slots: of all windows.
    transfers: broadcasts of all windows; null where Ctrl-C came before they were counted.
    """

    windows: int
    slots: int
    transfers: int | None


@dataclass(frozen=True)
class GroupRow:
    """The groups of a layer.

    layer: decoder layer.
    groups: experts of each group.
    solver: who made them.
    replicas: copies of experts beyond the first of each.
    columns: experts and copies: crossbars at a tile position.
    area_um2: of a tile position; null where not published.
    fit: taken on the windows of the fit range.
    score: taken on the windows of the score range.
    certificate: what is proven about them.
    """

    layer: int
    groups: tuple[tuple[int, ...], ...]
    solver: str
    replicas: int
    columns: int
    area_um2: int | None
    fit: Taken
    score: Taken
    certificate: CertificateRow = field(metadata=FLAT)


@dataclass(frozen=True)
class GroupReport(Document):
    """Groups of experts: `moexbar group --json`; `schedule` and `compile` read `layers` again.

    layers: in the order of the trace; fewer where the search was interrupted.
    seed: of the solver.
    window: tokens in flight together.
    mux: experts in a group at most.
    """

    layers: tuple[GroupRow, ...]
    seed: int
    window: int
    mux: int


@dataclass(frozen=True)
class LoadGroupRow:
    """The groups of a layer, made from counts.

    layer: decoder layer.
    groups: experts of each group.
    solver: who made them.
    replicas: copies of experts beyond the first of each.
    columns: experts and copies: crossbars at a tile position.
    area_um2: of a tile position; null where not published.
    pairs: of a token and an expert, counted in all steps.
    largest_over_mean: the largest group load over the mean group's, summed over the steps.
    certificate: what is proven about them.
    """

    layer: int
    groups: tuple[tuple[int, ...], ...]
    solver: str
    replicas: int
    columns: int
    area_um2: int | None
    pairs: int
    largest_over_mean: float
    certificate: CertificateRow = field(metadata=FLAT)


@dataclass(frozen=True)
class LoadGroupReport(Document):
    """Groups of experts from load counts: `moexbar group --json`, its `layers` read as the other's.

    grouped_by: load; slots and transfers cannot be known from counts, so none are told.
    layers: in the order of the file; fewer where the search was interrupted.
    seed: of the solver.
    steps: counted by themselves; of each the largest group load counts.
    mux: experts in a group at most.
    """

    grouped_by: Literal["load"]
    layers: tuple[LoadGroupRow, ...]
    seed: int
    steps: int
    mux: int


@dataclass(frozen=True)
class DelayRow:
    """How long the tokens of a window stay, in slots from a token's arrival to its last slot.

    mean: of all tokens with experts.
    most: of any.
    in_order: the mean where a token is done only when all before it are.
    """

    mean: float
    most: int
    in_order: float

    @classmethod
    def of(cls, delays: Delays) -> "DelayRow":
        """The delays, to a thousandth of a slot."""
        return cls(round(delays.mean, 3), delays.most, round(delays.in_order, 3))


@dataclass(frozen=True)
class ScheduledWindow:
    """One window in slots.

    first_token: place in the trace.
    order: its slots and what is proven about them.
    seconds: what ordering took.
    table: a row for each slot, in it the token of each group, counted from the window's first; -1:
        idle. Only if asked for.
    delay: of its tokens. Only with arrivals.
    """

    first_token: int
    order: OrderRow = field(metadata=FLAT)
    seconds: float
    table: tuple[tuple[int, ...], ...] | None = field(default=None, metadata=OPTIONAL)
    delay: DelayRow | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class ScheduleReport(Document):
    """The windows of one layer in slots: `moexbar schedule --json`.

    layer: decoder layer.
    policy: which orders them.
    seed: of the policies that search.
    bus: most transfers in a slot; null without a limit.
    buffer: most unfinished tokens; null without a limit.
    windows: in the order of the trace.
    arrivals: the slot in which each token of a window comes; bounds and proofs hold for these. Left
        out where all tokens of a window are there from the first slot on.
    """

    layer: int
    policy: str
    seed: int
    bus: int | None
    buffer: int | None
    windows: tuple[ScheduledWindow, ...]
    arrivals: tuple[int, ...] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class CompareRow:
    """A layer's groups by one solver.

    solver: who made them.
    certificate: what is proven about them; its gap is to the best bound of any solver.
    score: slots on the aligned windows of the score range.
    groups: experts of each group.
    progress: better and better answers, as [seconds, value].
    """

    solver: str
    certificate: CertificateRow = field(metadata=FLAT)
    score: int
    groups: tuple[tuple[int, ...], ...]
    progress: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class ComparedLayer:
    """A layer by every solver.

    layer: decoder layer.
    bound: the best that any solver has proven; null where none has answered.
    solvers: their answers.
    """

    layer: int
    bound: int | None
    solvers: tuple[CompareRow, ...]


@dataclass(frozen=True)
class CompareReport(Document):
    """The same groups by every solver: compare.json and `moexbar compare --json`.

    moexbar: version.
    window: tokens in flight together.
    size: experts in a group at most.
    seed: of the solvers.
    time_s: limit of each solver and layer; of cp-sat deterministic time.
    interrupted: whether it was ended early, with the best answers so far.
    layers: in the order of the trace.
    """

    moexbar: str
    window: int
    size: int
    seed: int
    time_s: float
    interrupted: bool
    layers: tuple[ComparedLayer, ...]

    def _repr_html_(self) -> str:
        """For a notebook: the answers side by side, but for their seconds."""
        rows = (
            (
                layer.layer,
                row.solver,
                row.certificate.status,
                row.certificate.value,
                row.certificate.bound,
                f"{100 * row.certificate.gap:.2f}",
                row.score,
            )
            for layer in self.layers
            for row in layer.solvers
        )
        columns = ("layer", "solver", "status", "fit", "bound", "gap %", "score")
        title = f"groups of at most {self.size} experts, slots of windows of {self.window} tokens"
        note = f"seed {self.seed}; gap is to the best bound of the layer"
        return table(title, columns, rows, note)

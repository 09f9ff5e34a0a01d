"""Chips designed for a model: `moexbar design --json`."""

from dataclasses import dataclass, field

from moexbar.report.plain import OPTIONAL, Document


@dataclass(frozen=True)
class GroupSizeRow:
    """Experts that share peripheral groups in a layer.

    layer: MoE layer.
    experts: in a group at most.
    """

    layer: int
    experts: int


@dataclass(frozen=True)
class DesignFigures:
    """What a design takes.

    time_ns: of the prefill, or of one decode step.
    tokens_per_s: tokens of all sequences in a second.
    area_um2: of the chip.
    energy_nj: of that time; null of a program with decode steps, whose energy is with its prefill.
    power_w: in the mean of that time; null likewise.
    gops_per_w_mm2: 2 x multiply-accumulates of its program over energy and area; null likewise, and
        without a program.
    """

    time_ns: float
    tokens_per_s: float
    area_um2: int
    energy_nj: float | None
    power_w: float | None = None
    gops_per_w_mm2: float | None = None


@dataclass(frozen=True)
class PartRow:
    """What the time of a design is made of.

    unit: whose work, or chains: what tokens take by themselves.
    ns: of the time.
    """

    unit: str
    ns: float


@dataclass(frozen=True)
class PriceRow:
    """What another value of one decision changes, by the model.

    decision: which.
    value: the design's.
    other: the next one that there is.
    time_ns: how much longer it then takes, less than 0 for shorter.
    area_um2: how much larger the chip then is.
    """

    decision: str
    value: int
    other: int
    time_ns: float
    area_um2: int


@dataclass(frozen=True)
class AgainRow:
    """A chip whose program took more than was asked, so that the choice was made again.

    quantity: of which it was more.
    of_model: at most, that the model was asked for; um2, ps or fJ.
    took: by its program.
    most: that was asked.
    """

    quantity: str
    of_model: int
    took: float
    most: int


@dataclass(frozen=True)
class ServedRow:
    """One of several models on a chip that was chosen for all of them.

    name: its file.
    share: of all runs.
    group_sizes: of every MoE layer that holds experts.
    model: figures without a program; the area is what it uses of the chip.
    program: figures of its compiled and replayed program; null where none was asked for.
    parts: what the time is made of, most first.
    command: what compiles it, beside the chip file.
    """

    name: str
    share: float
    group_sizes: tuple[GroupSizeRow, ...]
    model: DesignFigures
    program: DesignFigures | None
    parts: tuple[PartRow, ...]
    command: str


@dataclass(frozen=True)
class DesignRow:
    """A chip that was chosen.

    group_sizes: of every MoE layer that holds experts; none of several models, each of which has
        its own.
    stack: layers that share a region and its peripheral groups; 1: none across layers.
    mux: crossbars of a layer behind a peripheral group at most.
    columns_per_adc: columns of a converter; null: as of the chip that it began with.
    adc_bits: of a converter; null likewise.
    dense_copies: of dense blocks.
    transfers_per_slot: of the bus.
    return_lanes: of the return link.
    input_buffers: vectors of an input buffer.
    dpus_per_region: digital units.
    mha_units_per_region: attention units.
    replicas: copies of experts that are added in each MoE layer.
    minimised: what was.
    bound: proven: no design within the limits has less; um2, ps or fJ.
    gap: (value - bound) / value.
    status: optimal, as the solver says, or feasible: the best so far.
    seconds: what the search took; null in design.json, whose times are in times.json.
    model: figures without a program.
    program: figures of its compiled and replayed program; null where none was asked for.
    parts: what the time is made of, most first.
    prices: what other values would change.
    command: what compiles it, beside its chip file; of several models a line for each.
    models: of several models each; left out of one. Times and energies of the chip are means by
        their shares, its area has enough for any of them.
    perplexity: of the model with its converters, as they were chosen by; left out where none was
        asked for.
    program_perplexity: the same where its program places it, with other errors of cells; left out
        likewise, and without a program.
    again: chips that were tried, whose programs took more than was asked.
    """

    group_sizes: tuple[GroupSizeRow, ...]
    stack: int
    mux: int
    columns_per_adc: int | None
    adc_bits: int | None
    dense_copies: int
    transfers_per_slot: int
    return_lanes: int
    input_buffers: int
    dpus_per_region: int
    mha_units_per_region: int
    replicas: int
    minimised: str
    bound: int
    gap: float
    status: str
    seconds: float | None
    model: DesignFigures
    program: DesignFigures | None
    parts: tuple[PartRow, ...]
    prices: tuple[PriceRow, ...]
    command: str
    models: tuple[ServedRow, ...] | None = field(default=None, metadata=OPTIONAL)
    perplexity: float | None = field(default=None, metadata=OPTIONAL)
    program_perplexity: float | None = field(default=None, metadata=OPTIONAL)
    again: tuple[AgainRow, ...] = ()


@dataclass(frozen=True)
class AdcRow:
    """A converter that was offered.

    adc_bits: of it; null: as of the chip that designs begin with.
    perplexity: of the model with it, mean over drawings of the cells' errors.
    low: the least of these.
    high: the largest.
    """

    adc_bits: int | None
    perplexity: float
    low: float
    high: float


@dataclass(frozen=True)
class PerplexityRow:
    """What was asked of the model's predictions, and what they are by converter.

    asked: perplexity at most.
    converters: all that were offered.
    exact: perplexity with converters that lose nothing.
    digital: of the float model.
    positions: tokens whose next one is known.
    seeds: drawings of the cells' errors, of which perplexities are the mean, where cells have any.
    """

    asked: float
    converters: tuple[AdcRow, ...]
    exact: float
    digital: float
    positions: int
    seeds: int


@dataclass(frozen=True)
class DesignReport(Document):
    """The chips that were chosen, from the smallest on.

    chip: what they begin with.
    designs: the chips.
    perplexity: left out where none was asked for.
    power_w: at most, that was asked for; left out likewise.
    """

    chip: str
    designs: tuple[DesignRow, ...]
    perplexity: PerplexityRow | None = field(default=None, metadata=OPTIONAL)
    power_w: float | None = field(default=None, metadata=OPTIONAL)

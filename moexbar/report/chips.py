"""A chip as documents hold it: its main numbers, and every field with its source."""

from dataclasses import dataclass, field

from moexbar.report.plain import FLAT, OPTIONAL, Document


@dataclass(frozen=True)
class ChipSummary:
    """What the table of chips shows.

    name: of the preset or file.
    description: in a line.
    rows: of a crossbar.
    columns: of a crossbar.
    mux: expert crossbars behind one peripheral group.
    mvm_ps: of one matrix-vector product, with the switch of a shared group.
    mvm_fj: of one crossbar's product.
    peripheral_um2: of one peripheral group; null where not published.
    array_um2: of one crossbar; null where not published.
    source: of the time of a product.
    """

    name: str
    description: str
    rows: int
    columns: int
    mux: int
    mvm_ps: int
    mvm_fj: int
    peripheral_um2: int | None
    array_um2: int | None
    source: str


@dataclass(frozen=True)
class ConverterRow:
    """The converters of a crossbar, and the bits that they would need.

    adcs: of one crossbar.
    bits: of a conversion; null where the source does not say.
    lossless_bits: that hold every sum of a column: rows read at once, cell bits and DAC bits.
    rows_read: at once.
    reads: of a full crossbar, in each input cycle.
    time_depends_on_bits: whether `mvm.adc_bits` changes how long a product takes.
    """

    adcs: int
    bits: int | None
    lossless_bits: int
    rows_read: int
    reads: int
    time_depends_on_bits: bool


@dataclass(frozen=True)
class ChipField:
    """One number of a chip and where it is from.

    value: in the unit that the field's name ends in.
    written: as the chip file writes it; null where nothing does.
    source: publication, or why it is assumed.
    assumed: whether no value is published for this chip.
    low: least value of its band, if it has one.
    high: largest value of its band.
    """

    value: bool | int | float | str | None
    written: str | None
    source: str | None
    assumed: bool
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ChangeRow:
    """A number set for this run, by --set or in Python.

    key: as it was named, such as `mvm.read_ns`.
    value: as it was given.
    """

    key: str
    value: str


@dataclass(frozen=True)
class ChipSheet:
    """A whole chip.

    summary: its main numbers.
    assumed: how many fields are.
    fields: by path, such as `mvm.read_ps`.
    changes: which of them are not as in the preset or file of that name.
    converters: of a crossbar; not in reports of earlier versions.
    """

    summary: ChipSummary = field(metadata=FLAT)
    assumed: int
    fields: dict[str, ChipField]
    changes: tuple[ChangeRow, ...] = ()
    converters: ConverterRow | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class ChipReport(Document):
    """One chip: `moexbar chips NAME --json`.

    chip: the chip.
    """

    chip: ChipSheet = field(metadata=FLAT)


@dataclass(frozen=True)
class ChipsReport(Document):
    """All presets: `moexbar chips --json`.

    chips: in alphabetical order.
    """

    chips: tuple[ChipSheet, ...]

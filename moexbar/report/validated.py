"""What `moexbar validate` tells: published quantities, and how far ours differ."""

from dataclasses import dataclass

from moexbar.report.plain import Document


@dataclass(frozen=True)
class ValidatedRow:
    """A published quantity and ours.

    study: the publication or run that it is from.
    key: names the row.
    quantity: what it is.
    unit: of both values.
    published: as the source has it.
    ours: by our model.
    error_percent: of ours against the published one.
    independent: whether no number of a preset was set from it.
    fits: which number of a preset was, or which rules are taken from the same code.
    evidence: measured on silicon, a published model's, a run of another tool, or of the code whose
        rules a preset takes over.
    source: author, venue, year and place, or tool and version.
    second_hand: whether it was read where others quote the source.
    cause: why ours differs.
    """

    study: str
    key: str
    quantity: str
    unit: str
    published: float
    ours: float
    error_percent: float
    independent: bool
    fits: str
    evidence: str
    source: str
    second_hand: bool
    cause: str


@dataclass(frozen=True)
class UnmatchedRow:
    """A published figure that nothing of ours can be set beside.

    quantity: what it is, with its value and unit.
    source: author, venue and year.
    why: what is missing.
    """

    quantity: str
    source: str
    why: str


@dataclass(frozen=True)
class ValidateReport(Document):
    """Published quantities beside ours: `moexbar validate --json`.

    rows: by study.
    independent: how many of them are.
    mean_error_percent: of the independent rows, without signs.
    median_error_percent: the same.
    largest_error_percent: the same.
    largest: key of that row.
    unmatched: what could not be compared.
    """

    rows: tuple[ValidatedRow, ...]
    independent: int
    mean_error_percent: float
    median_error_percent: float
    largest_error_percent: float
    largest: str
    unmatched: tuple[UnmatchedRow, ...]

"""The validation table: every published quantity with ours, and the errors of independent rows."""

from collections.abc import Iterable
from statistics import fmean, median

from moexbar.report.validated import UnmatchedRow, ValidatedRow, ValidateReport
from moexbar.validation.claim import EVIDENCE, Claim, Study
from moexbar.validation.rows import OURS, STUDIES, UNMATCHED


def validate() -> ValidateReport:
    """Compute ours for every published quantity, by the presets and the programs on them.

    Nothing is read or run but our own model: what other tools gave is recorded with its version.
    """
    rows = tuple(_row(study, claim) for study in STUDIES for claim in study.claims)
    return summed(rows)


def summed(rows: Iterable[ValidatedRow]) -> ValidateReport:
    """Rows with the errors of those that are independent. ValueError where none is."""
    every = tuple(rows)
    free = [row for row in every if row.independent]
    if not free:
        raise ValueError("no row is independent: there is nothing to validate")
    errors = [abs(row.error_percent) for row in free]
    worst = max(free, key=lambda row: abs(row.error_percent))
    return ValidateReport(
        rows=every,
        independent=len(free),
        mean_error_percent=round(fmean(errors), 2),
        median_error_percent=round(median(errors), 2),
        largest_error_percent=abs(worst.error_percent),
        largest=worst.key,
        unmatched=tuple(UnmatchedRow(one.quantity, one.source, one.why) for one in UNMATCHED),
    )


def _row(study: Study, claim: Claim) -> ValidatedRow:
    ours = OURS[claim.key]()
    return ValidatedRow(
        study=study.title,
        key=claim.key,
        quantity=claim.quantity,
        unit=claim.unit,
        published=claim.published,
        ours=float(f"{ours:.6g}"),
        error_percent=error_percent(ours, claim.published),
        independent=claim.independent,
        fits=claim.fits,
        evidence=EVIDENCE[study.evidence],
        source=claim.source,
        second_hand=claim.second_hand,
        cause=claim.cause,
    )


def error_percent(ours: float, published: float) -> float:
    """Ours against the published value: 110 against 100 is +10."""
    return round(100 * (ours / published - 1), 2)

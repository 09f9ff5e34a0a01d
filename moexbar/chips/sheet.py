"""Chips as values for documents: every number with its unit, source and band."""

from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.timing import full, mvm, mvm_ps
from moexbar.arguments import check
from moexbar.chips.fields import SCHEMA
from moexbar.report.chips import ChangeRow, ChipField, ChipSheet, ChipSummary


def chip_sheet(chip: Chip) -> ChipSheet:
    """Fields by path in internal units (ps, fJ, um2, uW, ...), each with its source and band."""
    check("chip", chip, Chip, "a Chip, as `moexbar.load_chip` gives it")
    facts = {fact.path: fact for fact in chip.facts}
    fields: dict[str, ChipField] = {}
    for name, group in SCHEMA.items():
        part = getattr(chip, name)
        for field in group:
            fact = facts.get(field.path)
            fields[field.path] = ChipField(
                value=getattr(part, field.name),
                written=fact.text if fact else None,
                source=fact.source if fact else None,
                assumed=fact.assumed if fact else False,
                low=fact.low if fact else None,
                high=fact.high if fact else None,
            )
    return ChipSheet(summary(chip), len(chip.assumed), fields, change_rows(chip))


def change_rows(chip: Chip) -> tuple[ChangeRow, ...]:
    """What was set for this run."""
    return tuple(ChangeRow(change.key, change.text) for change in chip.changes)


def summary(chip: Chip) -> ChipSummary:
    """Return what the table of chips shows: size, mux, one MVM's time and energy, areas, source."""
    read = next((fact.source for fact in chip.facts if fact.path == "mvm.read_ps"), "")
    return ChipSummary(
        name=chip.name,
        description=chip.description,
        rows=chip.crossbar.rows,
        columns=chip.crossbar.columns,
        mux=chip.pg.mux,
        mvm_ps=mvm_ps(chip, shared=True),
        mvm_fj=mvm(chip, full(chip, 1), shared=True).energy_fj,
        peripheral_um2=peripheral_um2(chip),
        array_um2=chip.crossbar.array_um2,
        source=read.split(":")[0].split(";")[0],
    )

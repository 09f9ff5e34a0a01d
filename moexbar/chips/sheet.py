"""Chips as values for documents: every number with its unit, source and band."""

from typing import Any

from ir import converters
from ir.chip import Chip
from ir.timing import full, mvm, mvm_ps
from moexbar.arguments import check
from moexbar.chips.fields import SCHEMA, TABLES, Field
from moexbar.chips.pairs import pairs_text
from moexbar.report.chips import (
    ChangeRow,
    ChipField,
    ChipSheet,
    ChipSummary,
    ConverterRow,
)


def chip_sheet(chip: Chip) -> ChipSheet:
    """Fields by path in internal units (ps, fJ, um2, uW, ...), each with its source and band."""
    check("chip", chip, Chip, "a Chip, as `moexbar.load_chip` gives it")
    facts = {fact.path: fact for fact in chip.facts}
    fields: dict[str, ChipField] = {}
    for name, group in SCHEMA.items():
        part = TABLES[name].part(chip)
        for field in group if part is not None else ():
            fact = facts.get(field.path)
            fields[field.path] = ChipField(
                value=_plain(field, getattr(part, field.name)),
                written=fact.text if fact else None,
                source=fact.source if fact else None,
                assumed=fact.assumed if fact else False,
                low=fact.low if fact else None,
                high=fact.high if fact else None,
            )
    return ChipSheet(
        summary(chip), len(chip.assumed), fields, change_rows(chip), converter_row(chip)
    )


def _plain(field: Field, value: Any) -> bool | int | float | str | None:
    """A field's value as a document holds it: pairs as text."""
    found: bool | int | float | str | None = pairs_text(value) if field.kind == "pairs" else value
    return found


def converter_row(chip: Chip) -> ConverterRow:
    """Return the converters of a crossbar and the bits that its sums need."""
    return ConverterRow(
        adcs=converters.adcs(chip),
        bits=chip.mvm.adc_bits,
        lossless_bits=converters.lossless_bits(chip),
        rows_read=converters.rows_read(chip),
        reads=converters.reads(chip),
        time_depends_on_bits=converters.time_depends_on_bits(chip),
    )


def converter_line(chip: Chip) -> str:
    """The same in words: bits beside those that lose nothing, and what they do not change."""
    row = converter_row(chip)
    bits = "bits unknown" if row.bits is None else f"{row.bits} bits each"
    rows = f"{row.rows_read} rows at once" + f" in {row.reads} reads" * (row.reads > 1)
    of = f"{rows}, {chip.crossbar.cell_bits}-bit cells, {chip.mvm.dac_bits}-bit inputs"
    untimed = "" if row.time_depends_on_bits else "; mvm.adc_bits changes no time"
    lossless = f"{row.lossless_bits} would lose nothing ({of})"
    return f"converters: {row.adcs} a crossbar, {bits}; {lossless}{untimed}"


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
        peripheral_um2=converters.peripheral_um2(chip),
        array_um2=chip.crossbar.array_um2,
        source=read.split(":")[0].split(";")[0],
    )

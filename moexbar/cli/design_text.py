"""What `moexbar design` prints: the chips, what their time is made of, and what more would buy."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from moexbar.console import out, table
from moexbar.report.designed import (
    AdcRow,
    AgainRow,
    DesignFigures,
    DesignReport,
    DesignRow,
    GroupSizeRow,
    PerplexityRow,
    PriceRow,
    ServedRow,
)

PARTS, SHOWN = 3, 5
EACH = 6  # layers whose sizes are told one by one


def print_designed(report: DesignReport, output: Path) -> None:
    """A table of the chips, and a paragraph on each where there is one."""
    asked, power = report.perplexity, report.power_w is not None
    copied, several = any(row.replicas for row in report.designs), bool(report.designs[0].models)
    more = *REPLICAS * copied, *POWER * power, *(QUALITY if asked else ())
    head = *(("model",) * several), *HEAD, *more
    console, shown = out(), table(*head, left=1 + several)
    for row in report.designs:
        first, replicas = ("all",) * several, [str(row.replicas)] * copied
        draws = _draws(row) * power
        shown.add_row(*first, *_cells(row), *replicas, *draws, *(_quality(row) if asked else ()))
        for model in row.models or ():
            shown.add_row(*_of_model(model, row.stack), *("",) * copied, *_draws(model) * power)
    console.print(shown)
    for row in report.designs:
        for line in _told(row, alone=len(report.designs) == 1):
            console.print(line, soft_wrap=True)
    for line in () if asked is None else _predictions(asked, report.designs):
        console.print(line, soft_wrap=True)
    stacked = any(row.stack > 1 for row in report.designs)
    groups = "groups: experts in one" + " x layers of a region" * stacked
    added = "; replicas: copies of experts added in a layer" * copied
    console.print(
        f"{groups}; bus: transfers a slot/return lanes/input buffers; units: digital/attention of "
        f"a region{added}\nbeginning with {report.chip}; chips and commands in {output}",
        markup=False,
        soft_wrap=True,
    )


HEAD = ("groups", "copies", "bus", "units", "us", "mm2", "uJ", "gap %", "program us", "error %")


def _cells(row: DesignRow) -> Iterator[str]:
    """A line of the table; bus: transfers, lanes, input buffers; units: digital, attention.

    Groups of several models are in lines of their own.
    """
    yield "" if row.models else _groups(row.group_sizes, row.stack)
    yield str(row.dense_copies)
    yield f"{row.transfers_per_slot}/{row.return_lanes}/{row.input_buffers}"
    yield f"{row.dpus_per_region}/{row.mha_units_per_region}"
    yield from _figures(row.model)
    yield f"{100 * row.gap:.2f}"
    yield from _programmed(row)


def _figures(told: DesignFigures) -> Iterator[str]:
    yield f"{told.time_ns / 1000:,.2f}"
    yield f"{told.area_um2 / 1e6:,.2f}"
    yield "-" if told.energy_nj is None else f"{told.energy_nj / 1000:,.1f}"


def _programmed(row: DesignRow | ServedRow) -> Iterator[str]:
    yield "-" if row.program is None else f"{row.program.time_ns / 1000:,.2f}"
    yield "-" if row.program is None else f"{100 * error(row, row.program):+.2f}"


def _draws(row: DesignRow | ServedRow) -> tuple[str]:
    return (f"{row.model.power_w or 0:.3f}",)


def _of_model(row: ServedRow, stack: int) -> Iterator[str]:
    """A line of one of several models, without what they have in common."""
    yield f"{row.name} {100 * row.share:g} %"
    yield _groups(row.group_sizes, stack)
    yield from ("", "", "")
    yield from _figures(row.model)
    yield ""
    yield from _programmed(row)


def _groups(rows: Sequence[GroupSizeRow], stack: int) -> str:
    """Experts in a group; behind them the layers of a region, if several."""
    groups = _sizes([row.experts for row in rows])
    return groups if stack == 1 else f"{groups} x {stack}"


def _sizes(sizes: Sequence[int]) -> str:
    """One size, or one for each layer, or in how many of many layers each is."""
    if len(set(sizes)) == 1:
        return str(sizes[0])
    if len(sizes) <= EACH:
        return ",".join(map(str, sizes)) or "-"
    counts = sorted(Counter(sizes).items())
    return ", ".join(f"{size} in {layers}" for size, layers in counts)


REPLICAS, POWER, QUALITY = ("replicas",), ("W",), ("bits", "perplexity")


def _quality(row: DesignRow) -> Iterator[str]:
    """Further cells where a perplexity was asked for."""
    yield "-" if row.adc_bits is None else str(row.adc_bits)
    yield "-" if row.perplexity is None else f"{row.perplexity:.4f}"


def _predictions(found: PerplexityRow, designs: Sequence[DesignRow]) -> Iterator[str]:
    """Perplexities of all converters that were offered, and of the chosen chips' programs."""
    each = ", ".join(_converter(row) for row in found.converters)
    yield (
        f"perplexity: {each}; {found.exact:.4f} with converters that lose nothing, "
        f"float {found.digital:.4f}"
    )
    placed = [row.program_perplexity for row in designs if row.program_perplexity is not None]
    if placed and placed != [row.perplexity for row in designs]:
        numbers = ", ".join(f"{value:.4f}" for value in placed)
        over = ", more than asked" if max(placed) > found.asked else ""
        yield f"as programs place the model, where errors of cells are others: {numbers}{over}"


def _converter(row: AdcRow) -> str:
    """A perplexity, with its range over several drawings of the cells' errors."""
    wide = "" if row.low == row.high else f" ({row.low:.4f} to {row.high:.4f})"
    words = "the chip's converters" if row.adc_bits is None else f"{row.adc_bits} bits"
    return f"{row.perplexity:.4f}{wide} with {words}"


def error(row: DesignRow | ServedRow, program: DesignFigures) -> float:
    """Of the model's time, as a fraction of the program's."""
    return row.model.time_ns / program.time_ns - 1


def _told(row: DesignRow, *, alone: bool) -> Iterator[str]:
    if not alone:
        return
    yield from map(_again, row.again)
    yield ", ".join(_best(row))
    yield from _made_of(row)
    if row.program is not None:
        found, its = row.program, "its programs take" if row.models else "its program takes"
        area = 100 * (row.model.area_um2 / found.area_um2 - 1)
        yield f"{its} {found.area_um2 / 1e6:,.2f} mm2 (the model's error {area:+.2f} %)"
    worth = sorted((p for p in row.prices if p.time_ns < 0), key=_per_area)
    for price in worth[:SHOWN]:
        yield (
            f"{price.other} {price.decision} instead of {price.value}: "
            f"{price.time_ns / 1000:+,.3f} us, {price.area_um2 / 1e6:+,.3f} mm2"
        )
    saves = sorted((p for p in row.prices if p.area_um2 < 0), key=lambda p: p.area_um2)
    for price in saves[:SHOWN]:
        yield (
            f"{price.other} {price.decision} instead of {price.value}: "
            f"{price.area_um2 / 1e6:+,.3f} mm2, {price.time_ns / 1000:+,.3f} us"
        )


def _again(row: AgainRow) -> str:
    """That a chip was tried before, and why it is not the one."""
    unit, name = UNITS[row.quantity]
    most = f", {row.most / unit:,.2f} at most" if row.of_model != row.most else ""
    return (
        f"not kept by the program of the chip for {row.of_model / unit:,.2f} {name}, which takes "
        f"{row.took / unit:,.2f}{most}"
    )


UNITS = {"area": (1e6, "mm2"), "time": (1e6, "us"), "energy": (1e9, "uJ")}
LEAST = {"product": "most GOPS/W/mm2"}


def _best(row: DesignRow) -> Iterator[str]:
    """In what it is the best, and what else it gives."""
    yield f"{LEAST.get(row.minimised, 'least ' + row.minimised)}, {row.status}"
    yield f"{row.model.tokens_per_s:,.0f} tokens/s"
    if row.model.power_w is not None:
        yield f"{row.model.power_w:,.3g} W in the mean"
    if row.model.gops_per_w_mm2 is not None:
        yield f"{row.model.gops_per_w_mm2:,.3g} GOPS/W/mm2"


def _made_of(row: DesignRow) -> Iterator[str]:
    """What the time is made of, of each of several models."""
    of_each = [(f" of {model.name}", model.parts) for model in row.models or ()]
    for whose, parts in of_each or [("", row.parts)]:
        words = ", ".join(f"{part.unit} {part.ns / 1000:,.2f}" for part in parts[:PARTS])
        yield f"us of the time{whose}: {words}"


def _per_area(price: PriceRow) -> float:
    """Time for each um2, the most that is saved first."""
    return price.time_ns / max(price.area_um2, 1)

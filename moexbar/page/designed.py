"""The page of chips that were designed for a model, or for several."""

from collections.abc import Iterator

from moexbar import __version__
from moexbar.figures.figure import Figure
from moexbar.figures.grammar import WIDE, hover, rows
from moexbar.figures.grammar import number as axis
from moexbar.figures.palette import BLUE
from moexbar.page.document import Page, Section
from moexbar.page.html import Html, join, tag
from moexbar.page.parts import Cell, facts, folded, lines, number, pictures, table
from moexbar.report.designed import DesignReport, DesignRow, PerplexityRow

HEAD = (
    "chip",
    "groups",
    "us",
    "mm2",
    "uJ",
    "tokens/s",
    "gap %",
    "status",
    "program us",
    "program mm2",
    "model's error %",
)


def designed_page(report: DesignReport) -> Page:
    """The chips, what was chosen for each, and what another choice would change."""
    many = len(report.designs)
    sections = [
        Section("what", "What was asked", (_origin(report),)),
        Section("chips", "The chips", (pictures((_front(report),)), _table(report))),
        *(_chip(place, row) for place, row in enumerate(report.designs, start=1)),
    ]
    return Page(
        title=f"{many} chips" if many > 1 else "A chip",
        over="Designed for a model and its traffic",
        under=f"Beginning with {report.chip}; chosen by a model of the chip's time, then compiled.",
        written=f"Written by moexbar {__version__} from an output of moexbar design.",
        sections=tuple(one for one in sections if any(one.body)),
    )


def _origin(report: DesignReport) -> Html:
    found: list[tuple[str, Cell]] = [("Begins with", report.chip)]
    asked = list(dict.fromkeys(row.minimised for row in report.designs))
    found.append(("Minimised", ", ".join(asked)))
    if report.power_w is not None:
        found.append(("Power", f"at most {number(report.power_w)} W"))
    if report.perplexity is not None:
        found.append(("Perplexity", f"at most {number(report.perplexity.asked)}"))
    models = report.designs[0].models if report.designs else None
    if models:
        shares = (f"{one.name} {100 * one.share:g} %" for one in models)
        found.append(("Models", ", ".join(shares)))
    return join((facts(found), _perplexities(report.perplexity)))


def _perplexities(found: PerplexityRow | None) -> Html:
    if found is None:
        return Html()
    each = [
        (
            "as of the chip" if one.adc_bits is None else str(one.adc_bits),
            one.perplexity,
            one.low,
            one.high,
        )
        for one in found.converters
    ]
    return table(("converter bits", "perplexity", "least", "most"), each)


def _table(report: DesignReport) -> Html:
    rows = (_row(place, row) for place, row in enumerate(report.designs, start=1))
    return table(
        HEAD, rows, words=(0, 1), caption="By the model of time, and by the compiled program"
    )


def _row(place: int, row: DesignRow) -> tuple[Cell, ...]:
    model, program = row.model, row.program
    error = None if program is None else 100 * (model.time_ns / program.time_ns - 1)
    return (
        str(place),
        _sizes(row),
        number(model.time_ns / 1000),
        number(model.area_um2 / 1e6),
        None if model.energy_nj is None else number(model.energy_nj / 1000),
        number(model.tokens_per_s),
        f"{100 * row.gap:.2f}",
        row.status,
        None if program is None else number(program.time_ns / 1000),
        None if program is None else number(program.area_um2 / 1e6),
        None if error is None else f"{error:+.2f}",
    )


def _sizes(row: DesignRow) -> str:
    sizes = [one.experts for one in row.group_sizes]
    told = str(sizes[0]) if len(set(sizes)) == 1 else ", ".join(map(str, sizes)) or "by model"
    return told if row.stack == 1 else f"{told} x {row.stack} layers"


def _front(report: DesignReport) -> Figure | None:
    """Time over area, of several chips."""
    if len(report.designs) < 2:
        return None
    data = [
        {"chip": place, "mm2": row.model.area_um2 / 1e6, "us": row.model.time_ns / 1000}
        for place, row in enumerate(report.designs, start=1)
    ]
    spec = {
        "width": WIDE,
        "height": 280,
        "data": rows(data),
        "mark": {"type": "line", "point": {"size": 50}, "interpolate": "step-after", "color": BLUE},
        "encoding": {
            "x": axis("mm2", "area, mm2", scale={"zero": False}),
            "y": axis("us", "time, us", scale={"zero": False}),
            "tooltip": hover(chip="chip", mm2="area, mm2|,.4~f", us="time, us|,.4~f"),
        },
    }
    words = "Each dot is a chip: no design within the limits is both faster and smaller."
    return Figure("designs", "Time over area", words, spec, wide=True)


def _chip(place: int, row: DesignRow) -> Section:
    body = (
        facts(_choices(row)),
        lines(_tried(row)),
        _parts(row),
        folded("What other choices would change", _prices(row)) if row.prices else Html(),
        _command(f"command-{place}", row.command),
    )
    return Section(f"chip-{place}", f"Chip {place}", body)


def _choices(row: DesignRow) -> Iterator[tuple[str, Cell]]:
    yield "Experts in a group", _sizes(row)
    yield "Bus", f"{row.transfers_per_slot} transfers a slot, {row.return_lanes} return lanes"
    yield "Input buffers", f"{row.input_buffers} vectors"
    yield (
        "Units of a region",
        f"{row.dpus_per_region} digital, {row.mha_units_per_region} attention",
    )
    yield "Copies", f"{row.dense_copies} of dense blocks, {row.replicas} of experts in a layer"
    bits = "as of the chip" if row.adc_bits is None else f"{row.adc_bits} bits"
    yield "Converters", bits
    if row.perplexity is not None:
        yield "Perplexity", row.perplexity
    for one in row.models or ():
        told = f"{number(one.model.time_ns / 1000)} us, {number(one.model.area_um2 / 1e6)} mm2"
        yield one.name, f"{100 * one.share:g} % of the runs; {told}"


def _tried(row: DesignRow) -> Iterator[str]:
    for one in row.again:
        yield f"A chip before was not kept: its program took more {one.quantity} than was asked."


def _parts(row: DesignRow) -> Html:
    found = [(part.unit, part.ns / 1000) for part in row.parts]
    return table(("what the time is made of", "us"), found) if found else Html()


def _prices(row: DesignRow) -> Html:
    head = ("decision", "value", "other", "time us", "area mm2")
    found = [
        (
            p.decision,
            str(p.value),
            str(p.other),
            f"{p.time_ns / 1000:+.4g}",
            f"{p.area_um2 / 1e6:+.4g}",
        )
        for p in row.prices
    ]
    return table(head, found)


def _command(key: str, command: str) -> Html:
    copy = tag("button", "Copy", type="button", class_="copy", data_of=key)
    return join((tag("h3", "Command"), tag("pre", tag("code", command, id=key)), copy))

"""What a report says of dies: how full they are, and what goes between them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from backends.dies import die_areas, link_use
from ir.compiled import Compiled
from moexbar.report.certificates import CertificateRow
from moexbar.report.plain import OPTIONAL


@dataclass(frozen=True)
class BaselineRow:
    """Which die everything is on by another way, on the same dies.

    name: of the way.
    value: bytes x links of the fitted tokens; null where its way does not fit.
    """

    name: str
    value: int | None


@dataclass(frozen=True)
class LinksRow:
    """What the program sends over links between dies.

    kind: of the links.
    bits_per_ns: of one direction of each.
    crossings: instructions, one for each value and link.
    bytes: that they carry, each over one link.
    energy_nj: that they take, with the mesh of cores to the links and from them.
    link_nj: of that the links' own.
    energy_share: of all energy of the program.
    busiest: the link that is busy longest.
    busy_share: of the program's time.
    area_mm2: of all interfaces.
    """

    kind: str
    bits_per_ns: int
    crossings: int
    bytes: int
    energy_nj: float
    link_nj: float
    energy_share: float
    busiest: str
    busy_share: float
    area_mm2: float


@dataclass(frozen=True)
class DiesReport:
    """The dies of a chip.

    count: of dies.
    least: no assignment fits fewer, by area.
    topology: how they are joined.
    area_mm2: that each has.
    held_mm2: that each holds, in order.
    solver: who said which die everything is on.
    traffic: certificate of bytes x links over the fitted tokens.
    links: what the program sends over them.
    baselines: other ways on the same dies; left out where none was tried.
    """

    count: int
    least: int
    topology: str
    area_mm2: float
    held_mm2: tuple[float, ...]
    solver: str
    traffic: CertificateRow
    links: LinksRow
    baselines: tuple[BaselineRow, ...] | None = field(default=None, metadata=OPTIONAL)


def dies_report(compiled: Compiled, total_fj: int) -> DiesReport | None:
    """The row of a compiled program; None where the chip is one die. total_fj: its energy."""
    chip, crossing = compiled.chip, compiled.mapping.placement.crossing
    if chip.dies is None or chip.link is None or crossing is None:
        return None
    use, program = link_use(compiled.program), compiled.program
    ends = sum(unit.kind == "d2d" for unit in program.units)
    links = LinksRow(
        kind=chip.link.kind,
        bits_per_ns=chip.link.bits_per_ns,
        crossings=use.crossings,
        bytes=use.bytes,
        energy_nj=use.energy_fj / 1e6,
        link_nj=8 * use.bytes * chip.link.bit_fj / 1e6,
        energy_share=round(use.energy_fj / max(total_fj, 1), 6),
        busiest=use.busiest,
        busy_share=round(use.busy_ps / max(program.makespan_ps, 1), 6),
        area_mm2=ends * chip.link.end_um2 / 1e6,
    )
    return DiesReport(
        count=compiled.mapping.placement.topology.count,
        least=crossing.least_dies,
        topology=chip.dies.topology,
        area_mm2=chip.dies.area_um2 / 1e6,
        held_mm2=tuple((die_areas(compiled) / 1e6).tolist()),
        solver=crossing.solver,
        traffic=CertificateRow.of(crossing.certificate),
        links=links,
        baselines=tuple(BaselineRow(*row) for row in crossing.baselines) or None,
    )


def dies_lines(row: DiesReport) -> Iterator[str]:
    """Dies, traffic and links in words."""
    held = np.array(row.held_mm2)
    yield (
        f"{row.count} dies of {row.area_mm2:.4g} mm2 ({row.topology}), at least {row.least} by "
        f"area; filled to {held.mean() / row.area_mm2:.0%} in the mean, {held.max():.4g} mm2 at "
        "most"
    )
    traffic = row.traffic
    yield (
        f"dies {row.solver}: {traffic.value} {traffic.objective} over the fitted tokens, at least "
        f"{traffic.bound} ({traffic.status}){''.join(_against(row))}"
    )
    links = row.links
    yield (
        f"links {links.kind} of {links.bits_per_ns} bit/ns: {links.crossings} crossings of "
        f"{links.bytes} bytes in all, {links.link_nj / 1000:.4g} uJ, with the ways to them "
        f"{links.energy_nj / 1000:.4g} uJ ({links.energy_share:.2%} of all energy); the busiest "
        f"{links.busy_share:.2%} of the time; {links.area_mm2:.4g} mm2"
    )


def _against(row: DiesReport) -> Iterator[str]:
    """Other ways beside it."""
    for other in row.baselines or ():
        if other.value is None:
            yield f"; {other.name} does not fit"
        elif other.value:
            yield f"; {other.name} {other.value} ({row.traffic.value / other.value - 1:+.1%})"

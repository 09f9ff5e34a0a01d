"""What a report says of stacks: peripheral groups that several layers use."""

from dataclasses import dataclass

from moexbar.report.certificates import CertificateRow


@dataclass(frozen=True)
class Stacks:
    """What shares peripheral groups beyond the experts of a group.

    solver: who chose it.
    count: stacks.
    members: fire groups in them.
    layers: that share a region, at most.
    deepest: crossbars behind a peripheral group at most.
    pgs: peripheral groups of the chip.
    pgs_alone: as many as it would have with none shared so.
    met: certificate of the time in which members of a stack compute at once where each has
        peripheral groups of its own; null for stacks that were given.
    """

    solver: str
    count: int
    members: int
    layers: int
    deepest: int
    pgs: int
    pgs_alone: int
    met: CertificateRow | None

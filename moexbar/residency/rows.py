"""Values of residency as rows of its report."""

import numpy as np

from compiler.residency.choose import Choice
from compiler.residency.names import Share
from compiler.residency.outcome import Outcome
from compiler.residency.room import Room
from compiler.residency.stream import Stream
from ir.arrays import Bools
from moexbar.report.certificates import CertificateRow
from moexbar.report.resident import CellRow, CountRow, DigitalPair, PoolRow
from moexbar.residency.cells import Cells
from moexbar.residency.costs import writes_per_million


def count_row(found: Outcome) -> CountRow:
    """The counts of a range, and their shares in percent."""
    mean, most = writes_per_million(found)
    return CountRow(
        tokens=found.tokens,
        accesses=found.accesses,
        misses=found.misses,
        miss_percent=100 * found.miss_rate,
        passages=found.passages,
        stalls=found.stalls,
        stall_percent=100 * found.stall_rate,
        writes=found.writes,
        bypassed=found.bypassed,
        writes_per_million=mean,
        most_writes_per_million=most,
    )


def pool_rows(stream: Stream, room: Room, choice: Choice, share: Share) -> tuple[PoolRow, ...]:
    """Every pool with what is proven of it."""
    rows = []
    for pool, certificate in enumerate(choice.certificates):
        mine = room.pool == pool
        layer = int(stream.layer[mine][0]) if share == "layer" else None
        held = int(choice.resident[mine].sum())
        rows.append(PoolRow(layer, int(room.room[pool]), held, CertificateRow.of(certificate)))
    return tuple(rows)


def cell_row(kind: Cells) -> CellRow:
    """A kind of cell in the report's units."""
    low, high = kind.endurance or (None, None)
    return CellRow(
        cells=kind.name,
        row_ns=None if kind.row_ps is None else kind.row_ps / 1e3,
        cell_pj=None if kind.cell_fj is None else kind.cell_fj / 1e3,
        endurance_low=low,
        endurance_high=high,
        source=kind.source,
    )


def digital_pairs(stream: Stream, resident: Bools) -> tuple[DigitalPair, ...]:
    """Those that are not resident, layer by layer."""
    away = np.flatnonzero(~resident)
    pairs = zip(stream.layer[away].tolist(), stream.expert[away].tolist(), strict=True)
    return tuple(DigitalPair(layer, expert) for layer, expert in pairs)

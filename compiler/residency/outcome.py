"""What a stream of accesses comes to: misses, stalls, writes."""

from dataclasses import dataclass

import numpy as np

from compiler.residency.stream import Stream
from ir.arrays import Bools, Ints


@dataclass(frozen=True)
class Outcome:
    """Counts over a stream.

    tokens: of the stream; accesses: of experts; misses: those whose expert was not there. passages:
    tokens at a layer; stalls: those of them that had to wait for at least one expert. written: of
    each number of experts written in a visit, (the number, how many visits), ascending and without
    0: experts of one visit are fetched together. writes: of experts into slots; most_writes: into
    the slot that was written most; slots: there are. bypassed: misses that were computed digitally
    and not written; bypassed_pairs: the token-expert pairs of these.
    """

    tokens: int
    accesses: int
    misses: int
    passages: int
    stalls: int
    written: tuple[tuple[int, int], ...]
    writes: int
    most_writes: int
    slots: int
    bypassed: int
    bypassed_pairs: int

    @property
    def miss_rate(self) -> float:
        """Misses over accesses."""
        return self.misses / self.accesses if self.accesses else 0.0

    @property
    def stall_rate(self) -> float:
        """Stalls over passages."""
        return self.stalls / self.passages if self.passages else 0.0


def outcome(stream: Stream, hit: Bools, wrote: Bools, writes: Ints) -> Outcome:
    """Count; hit, wrote: bool [accesses]; writes: int64 [slots], experts written into each."""
    missed = ~hit
    waits = missed[stream.pair]
    stalled = np.logical_or.reduceat(waits, stream.passage[:-1]) if len(waits) else waits
    fetched = np.add.reduceat(wrote.astype(np.int64), stream.visit[:-1]) if len(wrote) else writes
    bypassed = missed & ~wrote
    together = np.bincount(fetched) if len(wrote) else np.zeros(1, dtype=np.int64)
    return Outcome(
        tokens=stream.tokens,
        accesses=len(hit),
        misses=int(missed.sum()),
        passages=stream.passages,
        stalls=int(stalled.sum()),
        written=tuple((n, k) for n, k in enumerate(together.tolist()) if n and k),
        writes=int(wrote.sum()),
        most_writes=int(writes.max(initial=0)),
        slots=len(writes),
        bypassed=int(bypassed.sum()),
        bypassed_pairs=int(bypassed[stream.pair].sum()),
    )


def kept(stream: Stream, resident: Bools, pool: Ints, slots: Ints, *, bypass: bool) -> Outcome:
    """Residents that never change, on a stream.

    pool: int64 [items]; slots: int64 [pools], experts that each holds. With bypass all misses are
    digital. Without it each is written into one slot of its pool that is kept for that, so that
    there must be a resident less in each; an expert that is still there from the last miss of the
    pool counts as a miss all the same.
    """
    hit = resident[stream.access]
    first = np.concatenate([[0], np.cumsum(slots)]).astype(np.int64)
    writes = np.zeros(int(first[-1]), dtype=np.int64)
    wrote = np.zeros(len(hit), dtype=np.bool_) if bypass else ~hit
    np.add.at(writes, first[pool[stream.access[wrote]]], 1)
    return outcome(stream, hit, wrote, writes)

"""Programs of a few instructions with times worked out by hand."""

from dataclasses import dataclass, field

import numpy as np

from ir.program import Buffer, Inventory, Lists, Opcode, Program, Unit
from tests.make import small_chip

NOWHERE = Inventory(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
CHIP = small_chip()  # an MVM takes 10 ns, an input buffer holds two vectors
UNITS = (
    Unit("bus", "bus.0", 0),
    Unit("group", "group.0.0.0", 0, 0, 0, 0, 1, 40),
    Unit("group", "group.0.0.1", 0, 0, 1, 1, 1, 40),
    Unit("dpu", "dpu0"),
    Unit("dpu", "dpu1"),
)
BUS, GROUP, OTHER, DPU, DPU1 = range(5)


@dataclass(frozen=True)
class Job:
    """One instruction; times in nanoseconds."""

    opcode: Opcode
    unit: int
    start: int
    length: int
    reads: tuple[int, ...] = ()
    dst: tuple[int, ...] = ()
    expert: int = -1
    slot: int = -1
    stage: int = 0
    place: tuple[int, int] | None = None  # offset and bytes in the buffer
    busy: int = field(default=-1)


def program(*jobs: Job, units: tuple[Unit, ...] = UNITS) -> Program:
    """The jobs as a program of layer 0, one token each."""
    rows = len(jobs)

    def column(values: list[int], kind: type[np.generic] = np.int32) -> np.ndarray:
        return np.array(values, dtype=kind)

    def lists(rows: list[tuple[int, ...]]) -> Lists:
        flat = [v for row in rows for v in row]
        return Lists(np.cumsum([0, *map(len, rows)]), column(flat))

    nothing, none = column([0] * rows), column([-1] * rows)
    return Program(
        opcode=column([j.opcode for j in jobs], np.uint8),
        step=nothing,
        seq=nothing,
        token=column(list(range(rows))),
        layer=nothing,
        stage=column([j.stage for j in jobs]),
        expert=column([j.expert for j in jobs]),
        replica=none,
        slot=column([j.slot for j in jobs]),
        unit=column([j.unit for j in jobs]),
        src=none,
        dst=lists([j.dst for j in jobs]),
        bytes=column([j.place[1] if j.place else 0 for j in jobs], np.int64),
        start_ps=column([1000 * j.start for j in jobs], np.int64),
        duration_ps=column([1000 * j.length for j in jobs], np.int64),
        busy_ps=column([1000 * (j.length if j.busy < 0 else j.busy) for j in jobs], np.int64),
        energy_fj=column([0] * rows, np.int64),
        macs=column([0] * rows, np.int64),
        reads=lists([j.reads for j in jobs]),
        writes=column(list(range(rows))),
        buffer=column([0 if j.place else -1 for j in jobs]),
        offset=column([j.place[0] if j.place else -1 for j in jobs], np.int64),
        node=nothing,
        units=units,
        buffers=(Buffer("buffer.0", 0, 100),),
        nodes=(("n",),),
        inventory=NOWHERE,
    )


def three_tokens() -> Program:
    """Three vectors for one group and one for another, over one bus.

    The third LOAD must wait for an entry, which the first MVM frees at 15 ns; the fourth goes
    after it on the bus although its own group is idle.
    """
    return program(
        Job(Opcode.LOAD, BUS, 0, 5, dst=(GROUP,), slot=0),
        Job(Opcode.LOAD, BUS, 5, 5, dst=(GROUP,), slot=1),
        Job(Opcode.LOAD, BUS, 15, 5, dst=(GROUP,), slot=2),
        Job(Opcode.LOAD, BUS, 20, 5, dst=(OTHER,), slot=2),
        Job(Opcode.MVM, GROUP, 5, 10, reads=(0,), expert=9, slot=0),
        Job(Opcode.MVM, GROUP, 15, 10, reads=(1,), expert=5, slot=1),
        Job(Opcode.MVM, GROUP, 25, 10, reads=(2,), expert=9, slot=2),
        Job(Opcode.MVM, OTHER, 25, 10, reads=(3,), expert=2, slot=2),
    )

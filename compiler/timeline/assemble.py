"""Draft plus times plus addresses: the finished program."""

from functools import partial

import numpy as np

from compiler.emit.stream import Draft
from compiler.emit.units import Units, buffer_sites
from compiler.timeline.inventory import inventory
from compiler.timeline.jobs import prepare
from compiler.timeline.list_schedule import Times, list_schedule
from compiler.timeline.memory import assign_offsets, check_caches, lives, size_buffers
from compiler.timeline.rules import RULES, with_turns
from compiler.timeline.search import WORK, best_schedule
from compiler.timeline.traffic import buffer_traffic
from ir.arrays import Ints
from ir.chip import Chip
from ir.mapping import Mapping
from ir.program import Program
from ir.schedule import Schedule
from ir.workload import Workload

MANY = 100_000  # instructions, of which one list schedule takes a tenth of a second


def timed_ps(draft: Draft, units: Units, chip: Chip) -> int:
    """When the last instruction of the draft ends, ps, to compare drafts by.

    Of the fewest list schedules; of a large draft by the first rule alone, whether its values have
    room or not.
    """
    if len(draft) <= MANY or chip.digital.accounting == "reference":
        return searched_ps(draft, units, chip)
    jobs = prepare(draft, units.servers, chip.pg.input_buffers, units.circuits)
    return list_schedule(jobs, with_turns(jobs, RULES[0](jobs))).end_ps


def searched_ps(draft: Draft, units: Units, chip: Chip) -> int:
    """When the last instruction of the draft ends, ps, of the fewest list schedules at any size."""
    return int(_schedule(draft, units, chip, work=0).end_ps)


def set_times(
    draft: Draft,
    units: Units,
    workload: Workload,
    mapping: Mapping,
    schedule: Schedule,
    chip: Chip,
) -> Program:
    """Schedule the draft on its units and give every value its place."""
    times = _schedule(draft, units, chip)
    columns = draft.columns
    offset, need = _places(draft, times)
    buffers = size_buffers(need, buffer_sites(workload, mapping.placement), chip)
    narrow = {
        name: columns[name].astype(np.int32)
        for name in (
            "step",
            "seq",
            "token",
            "layer",
            "stage",
            "expert",
            "replica",
            "slot",
            "src",
            "buffer",
            "node",
        )
    }
    moved = buffer_traffic(draft, workload, schedule, chip)
    occupied = inventory(workload, mapping, schedule, chip, sum(b.bytes for b in buffers), moved)
    check_caches(occupied, chip)
    return Program(
        opcode=columns["opcode"].astype(np.uint8),
        unit=times.unit.astype(np.int32),
        dst=draft.dst,
        bytes=columns["bytes"],
        start_ps=times.start_ps,
        duration_ps=columns["duration_ps"],
        busy_ps=columns["busy_ps"],
        energy_fj=columns["energy_fj"],
        macs=columns["macs"],
        reads=draft.reads,
        writes=np.arange(len(draft), dtype=np.int32),
        offset=offset,
        units=tuple(units.table),
        buffers=buffers,
        nodes=tuple(op.nodes for op in workload.operators),
        inventory=occupied,
        lockstep=draft.lockstep,
        **narrow,
    )


def _schedule(draft: Draft, units: Units, chip: Chip, work: int = WORK) -> Times:
    """The best schedule found with so much work; the reference takes the draft's own order."""
    jobs = prepare(draft, units.servers, chip.pg.input_buffers, units.circuits)
    if chip.digital.accounting == "reference":
        return list_schedule(jobs, jobs.priority)
    return best_schedule(jobs, partial(_has_room, draft, chip), work)


def _places(draft: Draft, times: Times) -> tuple[Ints, dict[int, int]]:
    """Byte offset of every value, and the bytes that each buffer needs."""
    columns = draft.columns
    last = lives(times.start_ps + columns["duration_ps"], draft.reads)
    return assign_offsets(columns["buffer"], columns["bytes"], times.start_ps, last)


def _has_room(draft: Draft, chip: Chip, times: Times) -> bool:
    """Whether the values of a schedule fit into the regions' buffers."""
    fixed = chip.memory.region_buffer_bytes
    return not fixed or max(_places(draft, times)[1].values(), default=0) <= fixed

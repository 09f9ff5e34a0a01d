"""Draft plus times plus addresses: the finished program."""

import numpy as np

from compiler.emit.stream import Draft
from compiler.emit.units import Units
from compiler.timeline.inventory import inventory
from compiler.timeline.list_schedule import list_schedule
from compiler.timeline.memory import assign_offsets, check_caches, lives, size_buffers
from compiler.timeline.traffic import buffer_traffic
from ir.chip import Chip
from ir.mapping import Mapping
from ir.program import Program
from ir.schedule import Schedule
from ir.workload import Workload


def set_times(
    draft: Draft,
    units: Units,
    workload: Workload,
    mapping: Mapping,
    schedule: Schedule,
    chip: Chip,
) -> Program:
    """Schedule the draft on its units and give every value its place."""
    times = list_schedule(draft, units.servers, chip.pg.input_buffers)
    columns = draft.columns
    end = times.start_ps + columns["duration_ps"]
    last = lives(end, draft.reads)
    offset, need = assign_offsets(columns["buffer"], columns["bytes"], times.start_ps, last)
    buffers = size_buffers(need, max(workload.layers, 1), chip)
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
    moved = buffer_traffic(draft, workload, chip)
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

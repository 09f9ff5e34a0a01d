"""The report's parts on steps and on what they keep."""

import numpy as np

from backends.pace import pace
from compiler.emit.caches import in_buffers
from ir import timing
from ir.compiled import Compiled
from ir.program import Program
from ir.sides import on_side
from ir.workload import MoELayer
from moexbar.report.compiled import Buffer, Decoding, InputBuffer, Memory, Steps


def steps_of(done: Compiled) -> Steps:
    """When the steps of a program end, and the pace of those after the prefill."""
    program = done.program
    numbers = [step.number for step in done.schedule.steps]
    ends = [int(program.end_ps[program.step == n].max(initial=0)) for n in numbers]
    return Steps(ends[0] / 1000, tuple((np.diff(ends) / 1000).tolist()), _decoding(program))


def _decoding(program: Program) -> Decoding | None:
    found = pace(program)
    if found is None:
        return None
    return Decoding(
        tokens_per_s=found.tokens_per_s,
        step_ns=found.step_ps / 1000,
        chain_ns=found.path_ps / 1000,
        busiest_ns=found.busiest_ps / 1000,
        busiest=found.busiest,
    )


def memory_of(done: Compiled) -> Memory:
    """What a program holds where."""
    program = done.program
    paper = sum(
        timing.reference_go_bytes(n, op.router.experts, op.d_model)
        for op in done.workload.moe_layers
        for n in _lengths(done, op)
    )
    return Memory(
        kv_bytes=program.inventory.kv_bytes,
        kv_buffer_bytes=_kept_in_buffers(done),
        go_bytes=program.inventory.go_bytes,
        paper_go_bytes=paper,
        dram_bytes=done.chip.memory.dram_bytes or None,
        buffers=tuple(Buffer(b.name, b.bytes) for b in program.buffers),
        input_buffers=tuple(
            InputBuffer(u.name, u.input_bytes) for u in program.units if u.input_bytes
        ),
    )


def _kept_in_buffers(done: Compiled) -> int:
    """Bytes of keys and values that the regions' buffers hold in the last step, if any."""
    schedule, chip = done.schedule, done.chip
    return sum(
        schedule.tokens * timing.key_bytes(chip, op.kv_heads, op.head_dim)
        for op in done.workload.attentions()
        if len(schedule.steps) > 1 and in_buffers(op, schedule.caches, chip)
    )


def _lengths(done: Compiled, op: MoELayer) -> list[int]:
    """Tokens that a layer has of each sequence of the window."""
    sequence = done.schedule.sequence
    own = sequence[on_side(done.workload.sides, op.side, sequence)]
    lengths: list[int] = np.unique(own, return_counts=True)[1].tolist()
    return lengths

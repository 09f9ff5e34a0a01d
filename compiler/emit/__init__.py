"""Mapping and slot orders to instructions, operator by operator; times come afterwards."""

from collections.abc import Mapping as ByKey
from typing import assert_never

from compiler.emit.at import At
from compiler.emit.attention import emit_attention
from compiler.emit.context import Context
from compiler.emit.crossbars import emit_dense
from compiler.emit.digital import emit_digital, emit_samples
from compiler.emit.moe import emit_moe
from compiler.emit.stream import Draft
from compiler.emit.units import Units, build_units
from ir.arrays import Bools
from ir.chip import Chip
from ir.mapping import Mapping
from ir.schedule import Schedule
from ir.workload import Attention, Dense, Digital, MoELayer, Workload


def emit(
    workload: Workload,
    mapping: Mapping,
    schedule: Schedule,
    chip: Chip,
    passed: ByKey[int, Bools],
) -> tuple[Draft, Units]:
    """The instructions of every step, without start times, and the units they run on.

    passed: see `ir.compiled.Compiled`.
    """
    units = build_units(workload, mapping, chip, schedule.longest_prefill)
    ctx = Context(workload, mapping, schedule, chip, units, passed, schedule.steps[0])
    for step in schedule.steps:
        ctx.begin(step)
        for index, op in enumerate(workload.operators):
            match op:
                case Digital():
                    emit_digital(At(ctx, index, op))
                case Attention():
                    emit_attention(At(ctx, index, op))
                case MoELayer():
                    emit_moe(At(ctx, index, op))
                case Dense():
                    emit_dense(At(ctx, index, op))
                case _:
                    assert_never(op)
        if schedule.sampled:
            emit_samples(ctx)
    return ctx.stream.finish(), ctx.units

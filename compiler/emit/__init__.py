"""Mapping and slot orders to instructions, operator by operator; times come afterwards."""

from compiler.emit.context import Context
from compiler.emit.crossbars import emit_dense
from compiler.emit.digital import emit_attention, emit_digital
from compiler.emit.moe import emit_moe
from compiler.emit.stream import Draft
from compiler.emit.units import Units, build_units
from ir.chip import Chip
from ir.mapping import Mapping
from ir.schedule import Schedule
from ir.workload import Attention, Dense, Digital, MoELayer, Workload


def emit(
    workload: Workload, mapping: Mapping, schedule: Schedule, chip: Chip
) -> tuple[Draft, Units]:
    """The instructions of one prefill window, without start times, and the units they run on."""
    ctx = Context(workload, mapping, schedule, chip, build_units(workload, mapping, chip))
    for index, op in enumerate(workload.operators):
        if isinstance(op, Digital):
            emit_digital(ctx, index, op)
        elif isinstance(op, Attention):
            emit_attention(ctx, index, op)
        elif isinstance(op, MoELayer):
            emit_moe(ctx, index, op)
        elif isinstance(op, Dense):
            emit_dense(ctx, index, op)
    return ctx.stream.finish(), ctx.units

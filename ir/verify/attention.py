"""What an attention asks for in a pass, and what it takes."""

from ir import timing
from ir.timing import Cost
from ir.units import attention_units
from ir.verify.case import ProgramCase
from ir.workload import Attention


def attention_cost(case: ProgramCase, op: Attention, node: int, of_pass: int) -> Cost:
    """A pass's attention: on one of the chip's units, or its heads spread over the region's."""
    units = 1
    if not case.chip.digital.shares_mha_units:
        tokens, region = case.schedule.longest_prefill, int(case.region[node])
        units = attention_units(case.workload, region, tokens, case.chip)
    size = (*asked(case, op, of_pass), op.heads, op.head_dim)
    return timing.attention(case.chip, *size, causal=op.causal, units=units)


def asked(case: ProgramCase, op: Attention, of_pass: int) -> tuple[int, int]:
    """(queries, keys) of a pass's attention: those that arrive ask where keys are kept."""
    visits = case.visits
    own, keys = (int(visits.so_far_by[side][of_pass]) for side in (op.side, op.key_side))
    kept = visits.schedule.caches.kv and visits.numbers[of_pass // len(visits.sequence_ids)] > 0
    return (int(visits.count(visits.fresh)[of_pass]) if kept else own), keys

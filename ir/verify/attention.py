"""What an attention asks for in a job, and what it takes."""

from ir import timing
from ir.arrays import Ints
from ir.timing import Cost
from ir.units import attention_units
from ir.verify.case import ProgramCase
from ir.workload import Attention


def attention_cost(case: ProgramCase, op: Attention, node: int, size: int) -> Cost:
    """A job's attention: on one of the chip's units, or its heads spread over the region's.

    size: a pass, whose only job it is, or `size_of_job`.
    """
    units, region = 1, int(case.region[node])
    if not case.chip.digital.shares_mha_units:
        tokens, copies = case.schedule.longest_prefill, case.mapping.dense_copies
        units = attention_units(case.workload, region, tokens, case.chip, copies)
    queries, keys = asked(case, op, size)
    held = timing.kept_ps(case.chip, keys, op.kv_heads, op.head_dim, units)
    heads = (op.heads, op.head_dim)
    return timing.attention(
        case.chip, queries, keys, *heads, causal=op.causal, units=units, kept_ps=held
    )


def size_of_job(case: ProgramCase, queries: Ints, keys: Ints) -> Ints:
    """Queries and keys of a stream's jobs as one number, which no pass has."""
    return case.visits.passes + keys * (case.schedule.tokens + 1) + queries


def asked(case: ProgramCase, op: Attention, size: int) -> tuple[int, int]:
    """(queries, keys) of a job; of a pass those that arrive ask where keys are kept."""
    visits = case.visits
    if size >= visits.passes:
        keys, queries = divmod(size - visits.passes, case.schedule.tokens + 1)
        return queries, keys
    own, keys = (int(visits.so_far_by[side][size]) for side in (op.side, op.key_side))
    kept = visits.schedule.caches.kv and visits.numbers[size // len(visits.sequence_ids)] > 0
    return (int(visits.count(visits.fresh)[size]) if kept else own), keys

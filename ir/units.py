"""How many digital and attention units a region has: sizes that follow from model and chip.

By its work, where the chip does not say: as many as keep up with the region's crossbars. What the
digital operations of one token take, over `LOAD` of what the crossbars take for one token, rounded
up: tokens come in bursts, and a unit that never rests makes all that waits for it late.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from fractions import Fraction
from math import ceil
from typing import assert_never

from ir import timing
from ir.chip import Chip
from ir.links import experts_per_token
from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer, Weight, Workload

LOAD = Fraction(3, 4)  # of its time a digital unit works at most


def digital_units(operators: Iterable[AnyOperator], pgs: int, chip: Chip, copies: int = 1) -> int:
    """Digital units for these operators of a region, which has so many peripheral groups.

    The chip's, where it shares them. copies: of dense blocks.
    """
    digital = chip.digital
    if digital.dpus_per_region:
        return digital.dpus_per_region
    if digital.pgs_per_dpu:
        return max(1, -(-pgs // digital.pgs_per_dpu))
    return digital.dpus or units_by_work(operators, chip, copies)


def units_by_work(operators: Iterable[AnyOperator], chip: Chip, copies: int = 1) -> int:
    """Digital units that keep up with the crossbars of these operators, at least one."""
    here = list(operators)
    ps = sum(digital_ps(op, chip) for op in here)
    crossbars = max((crossbar_ps(op, chip, copies) for op in here), default=0)
    return max(1, ceil(ps / (LOAD * (crossbars or timing.mvm_ps(chip, shared=False)))))


def attention_units(
    workload: Workload, region: int, tokens: int, chip: Chip, copies: int = 1
) -> int:
    """Attention units of a region, 0 where it has no attention.

    tokens: of a sequence's prefill; copies: of dense blocks.
    """
    here = workload.attentions_by_region.get(region)
    if here is None:
        return 0
    if chip.digital.mha_units_per_region:
        return chip.digital.mha_units_per_region
    ps = sum(_attention_ps(op, tokens, chip) for op in here)
    wanted = -(-ps * copies // timing.mvm_ps(chip, shared=False))
    return max(1, min(wanted, max(op.heads for op in here)))


def attention_tile(op: Attention, units: int, tokens: int, chip: Chip, copies: int = 1) -> int:
    """Queries that go together in a streamed attention, as its keys and values are read for them.

    The smallest power of two at which those of the last queries are read as fast as the crossbars
    take tokens; tokens: of a sequence, at most which go together; copies: of dense blocks.
    """
    kept = timing.kept_ps(chip, tokens, op.kv_heads, op.head_dim, units)
    wanted = -(-kept * copies // timing.mvm_ps(chip, shared=False))
    return min(1 << max(wanted - 1, 0).bit_length(), tokens)


def operators_of(workload: Workload, region: int) -> list[AnyOperator]:
    """The operators that work in a region."""
    every = enumerate(workload.operators)
    return [op for index, op in every if workload.region_at(index) == region]


def operators_with(workload: Workload, holders: AbstractSet[int]) -> list[AnyOperator]:
    """The operators that work on matrices or experts which `holders` hold, by number."""
    homes = zip(workload.operators, workload.homes, workload.matrix_homes, strict=True)
    return [op for op, *held in homes if holders & set(held)]


def crossbar_ps(op: AnyOperator, chip: Chip, copies: int = 1) -> int:
    """What its busiest crossbars take for one token: an MVM, or a group's turns in the mean.

    With P groups and k experts of a token, k / P turns where that is more than one. Where dense
    blocks have copies these are MVMs of as many tokens, and k / P turns count where that is more
    than 1 / copies.
    """
    match op:
        case Dense():
            return 0 if op.newest else -(-timing.mvm_ps(chip, shared=False) // copies)
        case MoELayer():
            groups = -(-op.router.experts // chip.pg.mux)
            turns = max(experts_per_token(op) * copies, groups)
            return -(-timing.mvm_ps(chip, shared=True) * turns // (groups * copies))
        case Digital() | Attention():
            return 0
        case _:
            assert_never(op)


def digital_ps(op: AnyOperator, chip: Chip) -> int:
    """What an operator takes of digital units for one token, but for matrices that it holds."""
    if op.newest:
        return 0
    match op:
        case Digital():
            return _own_ps(op, chip)
        case MoELayer():
            return _layer_ps(op, chip)
        case Dense():
            return _sums_ps((op.weight,), chip)
        case Attention():
            return 0
        case _:
            assert_never(op)


def _own_ps(op: Digital, chip: Chip) -> int:
    if op.scope == "constant" or op.kind == "join":
        return 0
    if op.scope == "token" and op.kind == "norm":
        return timing.norm(chip, op.width).duration_ps
    if op.scope == "token" and op.kind == "act":
        return timing.act(chip, op.width, op.passes).duration_ps
    whole = op.scope == "sequence" or op.kind == "other"
    return timing.digital(chip, op.elements if whole else op.width).duration_ps


def _layer_ps(op: MoELayer, chip: Chip) -> int:
    """Router, selection, the pairs and shared experts of one token, and their sum."""
    on_crossbars = chip.digital.router_on == "crossbar" and op.router.projection is not None
    k, shared = experts_per_token(op), len(op.shared)
    gates = op.gated_shared
    gate = timing.gate(
        chip,
        op.d_model,
        op.router.outputs,
        gates,
        on_crossbar=on_crossbars,
        scored=op.score_products,
    )
    choice = timing.topk(chip, op.router.outputs, k)
    weighted = gates + (k if op.weight_on == "output" else 0)
    total = timing.combine(chip, k + shared, weighted, op.d_out, op.d_expert)
    pairs = k * _expert_ps(op, op.d_expert, chip)
    pairs += sum(_expert_ps(op, expert.up.columns, chip) for expert in op.shared)
    return gate.duration_ps + choice.duration_ps + pairs + total.duration_ps


def _expert_ps(op: MoELayer, width: int, chip: Chip) -> int:
    """Curve, product of gate and up, and factor of the input: of one expert and token."""
    ps = 0
    if not op.single or op.curved:
        ps += timing.act(chip, width, op.passes).duration_ps
    if op.gated:
        ps += timing.add(chip, width).duration_ps
    if op.weight_on == "input":
        ps += timing.add(chip, width * (2 if op.gated else 1)).duration_ps
    one = op.experts[0]
    return ps + _sums_ps([w for w in (one.up, one.gate, one.down) if w is not None], chip)


def _sums_ps(weights: Iterable[Weight], chip: Chip) -> int:
    """Partial sums, where digital units add them."""
    if chip.accumulate.where != "dpu":
        return 0
    ps = 0
    for weight in weights:
        side = chip.crossbar.weights_per_row(weight)
        rows, columns = -(-weight.rows // chip.crossbar.rows), -(-weight.columns // side)
        sums = timing.accumulate(chip, rows, 1, side, bias=weight.bias is not None)
        ps += columns * sums.duration_ps
    return ps


def _attention_ps(op: Attention, tokens: int, chip: Chip) -> int:
    """The last query of a sequence, which has the most keys, on one unit."""
    last = timing.attention(chip, 1, tokens, op.heads, op.head_dim, causal=op.causal)
    return last.duration_ps

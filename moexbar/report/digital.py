"""What digital experts cost in a program: those whose matrices no crossbar holds."""

from dataclasses import dataclass

import numpy as np

from ir import timing
from ir.compiled import Compiled
from ir.program import Opcode


@dataclass(frozen=True)
class DigitalWork:
    """One routed expert on digital units.

    expert: its number.
    tokens: that the program sends there.
    weight_bytes: of its matrices, which come from DRAM for every token.
    token_ns: time of one token there, reading included.
    token_nj: its energy.
    """

    expert: int
    tokens: int
    weight_bytes: int
    token_ns: float
    token_nj: float


def digital_work(compiled: Compiled, layer: int) -> tuple[DigitalWork, ...]:
    """Of each digital expert of a MoE layer, by number."""
    p, workload = compiled.program, compiled.workload
    op = next(op for op in workload.moe_layers if op.layer == layer)
    grouping = compiled.mapping.grouping.of(workload.expert_homes[layer])
    here = (p.opcode == Opcode.DIGITAL) & (p.node == workload.operators.index(op))
    tokens = np.bincount(p.expert[here], minlength=op.router.experts)
    out = []
    for expert in grouping.digital:
        cost = timing.digital_expert(compiled.chip, op.experts[expert], op.passes)
        data = timing.weight_bytes(op.experts[expert])
        figures = cost.duration_ps / 1e3, cost.energy_fj / 1e6
        out.append(DigitalWork(expert, int(tokens[expert]), data, *figures))
    return tuple(out)

"""Matrix-vector products, and the sums of their parts."""

from ir.chip import VALUES_PER_PACKET, Chip
from ir.timing.cost import Cost, ceil, job
from ir.timing.digital import add


def mvm_ps(chip: Chip, *, shared: bool) -> int:
    """Time of one MVM: ceil(input/dac bits) x max(read, columns per ADC x conversion) + drain.

    `shared`: behind a multiplexed peripheral group, whose switch must settle first (mux > 1).
    """
    cycle = max(chip.mvm.read_ps, chip.mvm.columns_per_adc * chip.mvm.conversion_ps)
    settle = chip.pg.mux_settle_ps if shared and chip.pg.mux > 1 else 0
    return chip.mvm.cycles * cycle + chip.mvm.drain_ps + settle


def mvm(chip: Chip, crossbars: int, *, shared: bool) -> Cost:
    """`crossbars` tiles fire together: one MVM time, the energy of each and of its ports."""
    energy = crossbars * (chip.mvm.cycles * chip.mvm.cycle_fj + chip.mvm.port_fj)
    return job(mvm_ps(chip, shared=shared), energy)


def accumulate(chip: Chip, rows: int, columns: int, values: int, *, bias: bool) -> Cost:
    """Partial sums of `columns` tile columns, `rows` tiles each, `values` outputs per column.

    pg: a chain of neighbours, (rows - 1) x (hop + add), all columns side by side, pipelined with
    one result per hop + add. dpu: (rows - 1) adds one after another on one digital unit, for ONE
    column (`columns` jobs are emitted). A bias is one more add.
    """
    one_add = add(chip, values)
    adds = rows - 1 + bias
    if chip.accumulate.where == "dpu":
        return job(adds * one_add.duration_ps, adds * one_add.energy_fj)
    bits = values * chip.accumulate.psum_bits
    hop_ps = ceil(chip.accumulate.hop_ps * bits, VALUES_PER_PACKET * 8)
    hop_fj = ceil(chip.accumulate.hop_fj * bits, VALUES_PER_PACKET * 8)
    duration = (rows - 1) * hop_ps + adds * one_add.duration_ps
    energy = columns * ((rows - 1) * hop_fj + adds * one_add.energy_fj)
    return Cost(duration, min(duration, hop_ps + one_add.duration_ps), energy)

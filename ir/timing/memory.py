"""DRAM: caches, and products of matrices that no crossbar holds."""

from ir.chip import Chip
from ir.passes import Passes
from ir.timing.cost import Cost, ceil, job
from ir.timing.digital import act, add, macs
from ir.workload import Expert


def dram(chip: Chip, data: int) -> Cost:
    """`data` bytes over the memory port at its bandwidth and active power."""
    duration = ceil(data * 10**6, chip.memory.dram_mb_per_s)
    # microwatt x picosecond = 1e-18 J = 1e-3 fJ
    return job(duration, duration * chip.memory.dram_active_uw // 1000, data)


def with_products(chip: Chip, work: Cost, count: int, data: int) -> Cost:
    """Element-wise `work` and products with matrices that no crossbar holds, on one digital unit.

    `data` bytes of weights come from DRAM, then `count` multiply-accumulates are done, then the
    rest: one after the other, as a digital unit has no store for weights (assumed).
    """
    if not count and not data:
        return work
    parts = (dram(chip, data), macs(chip, count), work)
    return job(sum(p.duration_ps for p in parts), sum(p.energy_fj for p in parts))


def digital_expert(chip: Chip, expert: Expert, passes: Passes) -> Cost:
    """One token through an expert whose matrices no crossbar holds.

    They come from DRAM, all their products are done, then the activation, times up if gated.
    """
    hidden = expert.up.columns
    parts = [act(chip, hidden, passes)] + [add(chip, hidden)] * (expert.gate is not None)
    work = job(sum(p.duration_ps for p in parts), sum(p.energy_fj for p in parts))
    return with_products(chip, work, expert.macs, weight_bytes(expert))


def weight_bytes(expert: Expert) -> int:
    """Bytes of an expert's matrices, each in whole ones."""
    return sum(ceil(w.macs * w.bits, 8) for w in expert.weights)


def key_bytes(chip: Chip, kv_heads: int, head_dim: int) -> int:
    """Bytes of one token's key and value in the cache."""
    return ceil(2 * kv_heads * head_dim * chip.mvm.output_bits, 8)


def kept_ps(chip: Chip, keys: int, kv_heads: int, head_dim: int, units: int) -> int:
    """Time to read keys and values of so many tokens, the heads' spread over attention units.

    Every unit has a part of the buffer of its own; units that share a head of keys have it each.
    """
    if chip.digital.mha_bits_per_ns is None:
        return 0
    heads = ceil(kv_heads, units)
    bits = 2 * keys * heads * head_dim * chip.mvm.output_bits
    return ceil(bits * 1000, chip.digital.mha_bits_per_ns)


def score_bytes(experts: int, tokens: int) -> int:
    """Bytes of `tokens` scores of each expert, two each as GATE writes them."""
    return 2 * experts * tokens


def reference_go_bytes(tokens: int, experts: int, d_model: int) -> int:
    """The GO cache by the formula of arXiv 2602.10254, T x E + E x d: a byte for each entry."""
    return tokens * experts + experts * d_model


def reads_in_series(chip: Chip) -> bool:
    """Whether the caches are accounted for as the reference does (see Memory.accounting)."""
    return chip.memory.accounting == "reference"

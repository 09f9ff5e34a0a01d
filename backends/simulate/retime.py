"""Durations of the same instructions on a chip with other speeds, or with opcodes sped up by hand.

Times of MVMs, of vectors on links and of digital work whose size is known are ir.timing's own.
Other durations change by the ratio of the speeds that they rest on, rounded up to a picosecond.
Where two speeds add up in one duration and do not change by the same ratio, the split is not known
and the chip is refused, as is one of another shape: compile again for those.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from backends.simulate.digital import timed_anew
from backends.simulate.links import RECOMPILE, crossings, loads, stores, transfers
from ir import timing
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.errors import InputError
from ir.program import Opcode, Program

MOST = 1 << 62  # ps, of all durations one after another: later than any program ends
SHAPE = (
    "crossbar.rows",
    "crossbar.columns",
    "crossbar.cell_bits",
    "crossbar.weight_bits",
    "crossbar.differential",
    "mvm.input_bits",
    "mvm.output_bits",
    "pg.mux",
    "pg.stack_limit",
    "pg.input_buffers",
    "pg.retain_input",
    "accumulate.where",
    "accumulate.order",
    "accumulate.psum_bits",
    "mesh.pgs_per_core",
    "mesh.width",
    "mesh.height",
    "mesh.distance",
    "digital.dpus_per_region",
    "digital.pgs_per_dpu",
    "digital.dpus",
    "digital.mha_units_per_region",
    "digital.mha_units",
    "digital.attention",
    "digital.router_on",
    "digital.experts_wait_for_router",
    "digital.accounting",
    "memory.region_buffer_bytes",
    "memory.accounting",
)
DIES = ("topology", "count", "columns", "table")  # how large they are changes no time
ADDS = (Opcode.EMBED, Opcode.MUL, Opcode.ADD, Opcode.TOPK, Opcode.COMBINE, Opcode.DIGITAL)
ATTENTION = ("digital.macs_per_ns", "digital.mha_bits_per_ns")  # the slower of the two counts
RATES = (*ATTENTION, "memory.dram_mb_per_s")
ADD = ("digital.add_ps", "digital.add_base_ps")
SUMS = ("accumulate.hop_ps", "accumulate.add_ps", *ADD)
ELEMENT_WISE = (
    *ADD,
    "digital.norm_ps",
    "digital.relu_ps",
    "digital.smooth_ps",
    "digital.smooth_base_ps",
    "digital.macs_per_ns",
    "memory.dram_mb_per_s",
)
DRAM = (Opcode.KV_RD, Opcode.KV_WR, Opcode.GO_RD, Opcode.GO_WR)


def retime(program: Program, old: Chip, new: Chip) -> tuple[Ints, Ints]:
    """duration_ps and busy_ps int64 [rows] on `new` of a program made for `old`.

    Raises InputError for a chip of another shape or whose durations cannot be told apart.
    """
    for path in SHAPE:
        _unchanged(path, _field(old, path), _field(new, path), new)
    for name in DIES:
        before, after = (getattr(chip.dies, name, None) for chip in (old, new))
        _unchanged(f"die.{name}", before, after, new)
    duration, busy = program.duration_ps.copy(), program.busy_ps.copy()
    known, *times = timed_anew(program, old, new)
    duration[known], busy[known] = times
    for rows, ratio in _ratios(program, ~known, old, new):
        duration[rows], busy[rows] = _times(duration[rows], ratio), _times(busy[rows], ratio)
    for shared, stacked, rows in program.mvm_kinds():
        duration[rows] = busy[rows] = timing.mvm_ps(new, shared=shared, stacked=stacked)
    rows = program.opcode == Opcode.XFER
    duration[rows], busy[rows] = transfers(duration[rows], busy[rows], old, new)
    rows = program.opcode == Opcode.STORE
    duration[rows], busy[rows] = stores(program, rows, old, new)
    rows = program.opcode == Opcode.LOAD
    duration[rows], busy[rows] = loads(program, rows, old, new)
    rows = program.opcode == Opcode.CROSS
    duration[rows], busy[rows] = crossings(program, rows, old, new)
    return duration, busy


def scale(
    program: Program, duration_ps: Ints, busy_ps: Ints, factors: Mapping[Opcode, Fraction]
) -> tuple[Ints, Ints]:
    """The durations with those of some opcodes multiplied, rounded up.

    Raises InputError where all of them one after another would take more than 2^62 ps.
    """
    duration, busy = duration_ps.copy(), busy_ps.copy()
    for opcode, factor in factors.items():
        rows = program.opcode == opcode
        duration[rows], busy[rows] = _times(duration[rows], factor), _times(busy[rows], factor)
    _check_together(float(duration.sum(dtype=np.float64)))  # which does not wrap round
    return duration, busy


def _check_together(ps: float) -> None:
    if ps > MOST:
        problem = f"durations of {ps:.3g} ps, expected 2^62 at most together"
        raise InputError("scale", problem, "give lower factors, or a chip of other speeds")


def _field(chip: Chip, path: str) -> Any:
    table, name = path.split(".")
    return getattr(getattr(chip, table), name)


def _unchanged(path: str, before: object, after: object, new: Chip) -> None:
    """Raise InputError for what makes a chip another shape than the program was made for."""
    if before != after:
        found = f"{path}: {after}, the program was made for {before}"
        raise InputError(f"chip {new.name}", found, RECOMPILE)


def _ratios(program: Program, unknown: Bools, old: Chip, new: Chip) -> list[tuple[Bools, Fraction]]:
    """Rows that all change by one ratio, with that ratio, of those whose work is unknown.

    What holds matrices may take DRAM, MACs and element-wise passes.
    """
    code = program.opcode
    every = [
        ((*ADDS, Opcode.ACT, Opcode.NORM), ELEMENT_WISE),
        ((Opcode.ACC,), SUMS),
        ((Opcode.GATE,), (*ADD, "digital.macs_per_ns")),
        ((Opcode.SAMPLE,), ("digital.sample_ps",)),
    ]
    out = [(np.isin(code, codes) & unknown, speeds) for codes, speeds in every]
    found = [(rows, _ratio(old, new, *speeds)) for rows, speeds in out if rows.any()]
    macs = (code == Opcode.ATTN) & (old.digital.attention == "macs")
    if macs.any():
        found.append((macs, _ratio(old, new, *ATTENTION)))
    found.append((np.isin(code, DRAM), _ratio(old, new, "memory.dram_mb_per_s")))
    return [(rows, ratio) for rows, ratio in found if ratio != 1]


def _ratio(old: Chip, new: Chip, *paths: str) -> Fraction:
    """The one ratio by which times of all these speeds change."""
    ratios = {}
    for path in paths:
        before, after = _field(old, path), _field(new, path)
        if before != after and not (before and after):
            found = f"{path}: {after}, the program was made for {before}"
            raise InputError(f"chip {new.name}", found, RECOMPILE)
        if before:
            ratios[path] = Fraction(before, after) if path in RATES else Fraction(after, before)
    if len(set(ratios.values())) > 1:
        found = ", ".join(f"{path} x {float(r):.4g}" for path, r in ratios.items())
        problem = f"{found}: they add up in one duration, expected the same factor for all"
        raise InputError(f"chip {new.name}", problem, RECOMPILE)
    return next(iter(ratios.values()), Fraction(1))


def _times(amount: Ints, ratio: Fraction) -> Ints:
    """`amount` x ratio, rounded up; exact, in Python's integers where 64 bits are too few.

    Raises InputError where the result is more than 2^62.
    """
    if int(amount.max(initial=0)) * ratio.numerator < 1 << 62:
        return -(-amount * ratio.numerator // ratio.denominator)
    exact = [-(-a * ratio.numerator // ratio.denominator) for a in amount.tolist()]
    _check_together(max(exact))
    return np.array(exact, dtype=np.int64)

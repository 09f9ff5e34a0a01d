"""Durations of the same instructions on a chip with other speeds, or with opcodes sped up by hand.

Times of MVMs, of vectors on links and of curves are ir.timing's own. How large other jobs are the
program does not say: their durations change by the ratio of the speeds that they rest on, rounded
up to a picosecond. Where two speeds add up in one duration and do not change by the same ratio, the
split is not known and the chip is refused, as is one of another shape: compile again for those.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from backends.simulate.links import RECOMPILE, loads, stores, transfers
from ir import timing
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.errors import InputError
from ir.passes import Passes
from ir.program import Opcode, Program

SHAPE = (
    "crossbar.rows",
    "crossbar.columns",
    "crossbar.cell_bits",
    "crossbar.weight_bits",
    "crossbar.differential",
    "mvm.input_bits",
    "mvm.output_bits",
    "pg.mux",
    "pg.input_buffers",
    "pg.retain_input",
    "accumulate.where",
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
ADDS = (Opcode.EMBED, Opcode.MUL, Opcode.ADD, Opcode.TOPK, Opcode.COMBINE, Opcode.DIGITAL)
PASSES = tuple(Passes(smooth, products) for smooth in range(3) for products in range(4))
DRAM = (Opcode.KV_RD, Opcode.KV_WR, Opcode.GO_RD, Opcode.GO_WR)


def retime(program: Program, old: Chip, new: Chip) -> tuple[Ints, Ints]:
    """duration_ps and busy_ps int64 [rows] on `new` of a program made for `old`.

    Raises InputError for a chip of another shape or whose durations cannot be told apart.
    """
    for path in SHAPE:
        _unchanged(path, _field(old, path), _field(new, path), new)
    duration, busy = program.duration_ps.copy(), program.busy_ps.copy()
    for rows, ratio in _ratios(program, old, new):
        duration[rows], busy[rows] = _times(duration[rows], ratio), _times(busy[rows], ratio)
    acts = program.opcode == Opcode.ACT
    duration[acts] = busy[acts] = _curves(program, np.flatnonzero(acts), old, new)
    mvm = program.opcode == Opcode.MVM
    for shared in (False, True):
        rows = mvm & ((program.expert >= 0) == shared)
        duration[rows] = busy[rows] = timing.mvm_ps(new, shared=shared)
    rows = program.opcode == Opcode.XFER
    duration[rows], busy[rows] = transfers(duration[rows], busy[rows], old, new)
    rows = program.opcode == Opcode.STORE
    duration[rows], busy[rows] = stores(program, rows, old, new)
    rows = program.opcode == Opcode.LOAD
    duration[rows], busy[rows] = loads(program, rows, old, new)
    return duration, busy


def scale(
    program: Program, duration_ps: Ints, busy_ps: Ints, factors: Mapping[Opcode, Fraction]
) -> tuple[Ints, Ints]:
    """The durations with those of some opcodes multiplied, rounded up."""
    duration, busy = duration_ps.copy(), busy_ps.copy()
    for opcode, factor in factors.items():
        rows = program.opcode == opcode
        duration[rows], busy[rows] = _times(duration[rows], factor), _times(busy[rows], factor)
    return duration, busy


def _field(chip: Chip, path: str) -> Any:
    table, name = path.split(".")
    return getattr(getattr(chip, table), name)


def _unchanged(path: str, before: object, after: object, new: Chip) -> None:
    """Raise InputError for what makes a chip another shape than the program was made for."""
    if before != after:
        found = f"{path}: {after}, the program was made for {before}"
        raise InputError(f"chip {new.name}", found, RECOMPILE)


def _ratios(program: Program, old: Chip, new: Chip) -> list[tuple[Bools, Fraction]]:
    """Rows that all change by one ratio, with that ratio."""
    code = program.opcode
    adds = np.isin(code, ADDS) | ((code == Opcode.GATE) & (program.macs == 0))
    chained = np.zeros(len(program), dtype=np.bool_)
    if old.accumulate.where == "dpu":
        adds |= code == Opcode.ACC
    else:
        chained = code == Opcode.ACC
    macs = (code == Opcode.GATE) & (program.macs > 0)
    add = ("digital.add_ps", "digital.add_base_ps")
    if old.digital.router_on == "crossbar" and macs.any():  # scores taken over, gates computed
        _same(_ratio(old, new, *add), 1 / _ratio(old, new, "digital.macs_per_ns"), new)
    if old.digital.attention == "macs":
        macs |= code == Opcode.ATTN
    out = [
        (adds, _ratio(old, new, *add)),
        (chained, _ratio(old, new, "accumulate.hop_ps", *add)),
        (code == Opcode.NORM, _ratio(old, new, "digital.norm_ps")),
        (code == Opcode.SAMPLE, _ratio(old, new, "digital.sample_ps")),
        (macs, 1 / _ratio(old, new, "digital.macs_per_ns")),
        (np.isin(code, DRAM), 1 / _ratio(old, new, "memory.dram_mb_per_s")),
    ]
    return [(rows, ratio) for rows, ratio in out if ratio != 1]


def _curves(program: Program, rows: Ints, old: Chip, new: Chip) -> Ints:
    """Durations of curves on the new chip, by what they take: the passes that explain the old ones.

    Where none do (a matrix from DRAM beside the curve) all speeds that may be in it change alike.
    """
    jobs = np.stack([program.bytes[rows], program.duration_ps[rows]], axis=1)
    kinds, which = np.unique(jobs, axis=0, return_inverse=True)
    found = [_curve(int(data), int(ps), old, new) for data, ps in kinds]
    return np.array(found, dtype=np.int64)[which.ravel()]


def _curve(data: int, ps: int, old: Chip, new: Chip) -> int:
    values = data * 8 // old.mvm.output_bits
    for passes in PASSES:
        if timing.act(old, values, passes).duration_ps == ps:
            return timing.act(new, values, passes).duration_ps
    speeds = ("relu_ps", "smooth_ps", "smooth_base_ps", "add_ps", "add_base_ps")
    ratio = _ratio(old, new, *(f"digital.{speed}" for speed in speeds))
    return -(-ps * ratio.numerator // ratio.denominator)


def _same(adds: Fraction, macs: Fraction, new: Chip) -> None:
    """Both speeds of a router on crossbars with gates of shared experts must change alike."""
    if adds != macs:
        problem = f"adds x {float(adds):.4g}, MACs x {float(macs):.4g}: both are in a GATE"
        raise InputError(f"chip {new.name}", f"{problem}, expected the same factor", RECOMPILE)


def _ratio(old: Chip, new: Chip, *paths: str) -> Fraction:
    """The one ratio by which all these speeds change."""
    ratios = {}
    for path in paths:
        before, after = _field(old, path), _field(new, path)
        if before != after and not (before and after):
            found = f"{path}: {after}, the program was made for {before}"
            raise InputError(f"chip {new.name}", found, RECOMPILE)
        if before:
            ratios[path] = Fraction(after, before)
    if len(set(ratios.values())) > 1:
        found = ", ".join(f"{path} x {float(r):.4g}" for path, r in ratios.items())
        problem = f"{found}: they add up in one duration, expected the same factor for all"
        raise InputError(f"chip {new.name}", problem, RECOMPILE)
    return next(iter(ratios.values()), Fraction(1))


def _times(amount: Ints, ratio: Fraction) -> Ints:
    """`amount` x ratio, rounded up; exact, in Python's integers where 64 bits are too few."""
    if int(amount.max(initial=0)) * ratio.numerator < 1 << 62:
        return -(-amount * ratio.numerator // ratio.denominator)
    exact = [-(-a * ratio.numerator // ratio.denominator) for a in amount.tolist()]
    return np.array(exact, dtype=np.int64)

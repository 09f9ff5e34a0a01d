"""One run of workload R: mapped, scheduled token by token, timed, verified and replayed."""

import time
from dataclasses import dataclass, replace

import numpy as np

from backends.cost import cost
from backends.simulate import replay
from compiler.grouping import split_counts, split_pairs
from compiler.partition import partition
from compiler.pipeline import realise
from compiler.placement import place
from compiler.slots import order_slots
from compiler.steps import pairs_run, plan_steps
from ir.arrays import Bools
from ir.certificate import Certificate
from ir.chip import Chip
from ir.mapping import Grouping, LayerGrouping, Mapping
from ir.program import Opcode, Program
from ir.schedule import Caches, PairOrder, Schedule, assign_experts
from ir.workload import Workload
from moexbar.report.reproduced import Figures
from moexbar.reproduce.workload import EXPERTS, random_experts, workload_r

PROMPT = 32
ADDS = (Opcode.ACC, Opcode.ADD, Opcode.COMBINE)


@dataclass(frozen=True)
class Run:
    """What is run: `tokens` generated after a prompt of 32 with some caches.

    prefill: the prompt's own pass, which gives the first token, is part of the run; without it the
    run is the other passes alone, with s = 33 .. 31 + tokens.
    """

    tokens: int
    caches: Caches
    prefill: bool


@dataclass(frozen=True)
class Ran:
    """Figures of a run, and the seconds from the shapes to the end of checks and simulation."""

    figures: Figures
    seconds: float
    instructions: int


def execute(run: Run, chip: Chip, seed: int = 0) -> Ran:
    """Compile a run, check it as every compilation is checked, and simulate it.

    Raises CheckError if a check or the replay finds a fault.
    """
    begun = time.perf_counter()
    workload = workload_r()
    mapping = map_unshared(workload, chip)
    chosen = random_experts(PROMPT + run.tokens - 1, seed)
    schedule = schedule_by_token(run, mapping, chip, chosen)
    program = realise(workload, chip, mapping, schedule, {0: chosen}).program
    replay(program, chip)
    return Ran(measure(program, chip), time.perf_counter() - begun, len(program))


def map_unshared(workload: Workload, chip: Chip) -> Mapping:
    """Every expert on peripheral groups of its own, in order: these runs share none."""
    alone = tuple((e,) for e in range(EXPERTS))
    certificate = Certificate("none", 0, 0, "heuristic")
    grouping = Grouping((LayerGrouping(0, alone, "alone", certificate),))
    blocks = partition(workload, chip)
    return Mapping(blocks, grouping, place(blocks, grouping, chip))


def schedule_by_token(run: Run, mapping: Mapping, chip: Chip, chosen: Bools) -> Schedule:
    """The steps of a run, each in token order. chosen: [prompt and generated tokens, experts]."""
    arrival = np.maximum(np.arange(len(chosen)) - (PROMPT - 1), 0)
    plan = plan_steps(
        arrival,
        run.caches,
        expert_choice=False,
        reference=chip.memory.accounting == "reference",
        first=0 if run.prefill else 1,
    )
    layer = mapping.grouping.of(0)
    steps = tuple(
        replace(step, layers=(_by_token(layer, pairs_run(step, chosen)),)) for step in plan
    )
    sequence, every = np.zeros(len(chosen), dtype=np.int64), np.arange(len(chosen))
    return Schedule(sequence, arrival, every, steps, run.caches, sampled=True)


def _by_token(layer: LayerGrouping, picked: Bools) -> PairOrder:
    """Lowest token first: a slot for each token, which waits for no slot before (no lockstep)."""
    order = replace(order_slots(split_counts(layer, picked), "token-serial"), lockstep=False)
    return assign_experts(order, layer, picked, split_pairs(layer, picked))


def measure(program: Program, chip: Chip) -> Figures:
    """The reference's figures from a program's columns; an MVM fires every crossbar of its unit."""
    code, duration = program.opcode, program.duration_ps
    crossbars = np.array([unit.pgs for unit in program.units], dtype=np.int64)
    digital = np.array([unit.kind == "dpu" for unit in program.units], dtype=np.bool_)
    mvm = code == Opcode.MVM
    fired = int(crossbars[program.unit[mvm]].sum())
    adds = np.isin(code, ADDS) & digital[program.unit]
    return Figures(
        time_ns=program.makespan_ps / 1e3,
        energy_nj=cost(program, chip).energy.total_fj / 1e6,
        adds_ns=int(duration[adds].sum()) / 1e3,
        mvm_energy_nj=(int(program.energy_fj[mvm].sum()) - fired * chip.mvm.port_fj) / 1e6,
        mvm_count=fired,
        dram_kv_ns=int(duration[code == Opcode.KV_RD].sum()) / 1e3,
    )

"""One matrix on a chip as a program: its time, energy and area, by the whole pipeline."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from backends.cost import CostReport, cores_uw, cost
from compiler.partition import partition
from compiler.pipeline import realise
from compiler.placement import place
from compiler.steps import plan_steps
from ir.chip import Chip
from ir.mapping import Grouping, Mapping
from ir.passes import SMOOTH
from ir.program import Program
from ir.schedule import Caches, Schedule
from ir.workload import AnyOperator, Dense, Digital, Weight, Workload
from moexbar.chips.sheet import summary

NO_EXPERTS = Grouping(())


@dataclass(frozen=True)
class Core:
    """One full crossbar with circuits of its own.

    ps, fj: of one product; mm2: crossbar and circuits; weights: of a full one, at the chip's bits.
    """

    ps: int
    fj: int
    mm2: float
    weights: int

    @property
    def tops(self) -> float:
        """Operations per picosecond, two for a weight."""
        return 2 * self.weights / self.ps

    @property
    def tops_per_w(self) -> float:
        """Operations per picojoule."""
        return 2 * self.weights / self.fj * 1000


def core(chip: Chip) -> Core:
    """One crossbar as the table of chips has it. ValueError where an area is not published."""
    found, size = summary(chip), chip.crossbar
    if found.peripheral_um2 is None or found.array_um2 is None:
        raise ValueError(f"chip {chip.name}: its areas are not published")
    return Core(
        found.mvm_ps,
        found.mvm_fj,
        (found.peripheral_um2 + found.array_um2) / 1e6,
        size.rows * (size.columns // size.slices(size.weight_bits)),
    )


@dataclass(frozen=True)
class Ran:
    """A program and what it costs."""

    program: Program
    cost: CostReport


def full_mw(chip: Chip, ran: Ran, one: Core) -> float:
    """What a program's region draws with every part in use all the time, mW.

    Its crossbars start a product whenever the last is done, bus and buffer carry what they can;
    and what its cores draw whatever they do. Femtojoules per nanosecond are microwatts.
    """
    links = ran.program.inventory.bus_bits_per_ns * chip.bus.bit_fj
    buffer = (chip.memory.buffer_bits_per_ns or 0) * chip.memory.buffer_bit_fj
    crossbars = ran.cost.energy.dynamic_fj["MVM"] / one.ps
    return crossbars + (links + buffer + cores_uw(ran.program, chip)) / 1000


def matrix(name: str, x: str, rows: int, columns: int, *, newest: bool = False) -> Dense:
    """A matrix of `rows` x `columns` weights of 16 bits, or as many as the chip stores."""
    weight = Weight(name, rows, columns, bits=16)
    return Dense(name, 0, (x,), (name,), (), columns, weight=weight, newest=newest)


@cache
def product(chip: Chip, rows: int, columns: int) -> Ran:
    """One vector times one matrix."""
    return run(chip, (matrix("product", "x", rows, columns),))


def layer_ns(chip: Chip, rows: int, columns: int) -> float:
    """A product and the sigmoid of its results, from the start of the LOAD on, in nanoseconds."""
    sigmoid = Digital(
        "sigmoid",
        0,
        ("sums",),
        ("out",),
        (),
        columns,
        kind="act",
        scope="token",
        elements=columns,
        passes=SMOOTH,
    )
    return run(chip, (matrix("sums", "x", rows, columns), sigmoid)).program.makespan_ps / 1e3


def run(
    chip: Chip, operators: tuple[AnyOperator, ...], tokens: int = 1, *, sampled: bool = False
) -> Ran:
    """A prefill of `tokens` through operators without experts, on a chip. sampled: and a choice.

    Raises CheckError if the program breaks an invariant.
    """
    workload = Workload("validation", "0" * 64, ("x",), operators[-1].outputs, operators)
    blocks = partition(workload, chip)
    mapping = Mapping(blocks, NO_EXPERTS, place(blocks, NO_EXPERTS, chip))
    zeros, caches = np.zeros(tokens, dtype=np.int64), Caches()
    steps = plan_steps(
        zeros, caches, expert_choice=False, reference=chip.memory.accounting == "reference"
    )
    schedule = Schedule(zeros, zeros, np.arange(tokens), steps, caches, sampled=sampled)
    program = realise(workload, chip, mapping, schedule, {}).program
    return Ran(program, cost(program, chip))

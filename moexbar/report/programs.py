"""What a compiled program tells: its instructions, and how it runs on its units."""

from dataclasses import dataclass, field
from typing import Literal

from moexbar.report.chips import ChangeRow
from moexbar.report.plain import OPTIONAL, Document


@dataclass(frozen=True)
class InstructionRow:
    """One instruction, as program.parquet has it.

    id: row of the program.
    opcode: what it does.
    unit: name of the unit.
    step: 0 for the prefill.
    layer: decoder layer; this and the next five are -1 where they do not apply.
    stage: 0 for up and gate, 1 for down.
    token: within the window.
    expert: routed expert.
    slot: of the slot order.
    start_ps: when it starts.
    duration_ps: how long it takes.
    energy_fj: dynamic.
    reads: ids of the instructions whose values it uses.
    nodes: of the ONNX graph that it stands for.
    waits_ps: how long it waited, by cause. Only if asked for.
    waited_for: id of the instruction that it waited for, by cause. Only if asked for.
    """

    id: int
    opcode: str
    unit: str
    step: int
    layer: int
    stage: int
    token: int
    expert: int
    slot: int
    start_ps: int
    duration_ps: int
    energy_fj: int
    reads: tuple[int, ...]
    nodes: tuple[str, ...]
    waits_ps: dict[str, int] | None = field(default=None, metadata=OPTIONAL)
    waited_for: dict[str, int] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class GroupedWaits:
    """Waits of the instructions of one unit, token, expert or opcode.

    group: which.
    instructions: how many.
    waits_ps: by cause, in sums.
    longest_ps: the longest wait.
    longest: id of the instruction that waited so long.
    cause: of that wait.
    waited_for: id of the instruction that it waited for; -1: none.
    """

    group: str
    instructions: int
    waits_ps: dict[str, int]
    longest_ps: int
    longest: int
    cause: str
    waited_for: int


@dataclass(frozen=True)
class InspectReport(Document):
    """Instructions of a program: `moexbar inspect --json`.

    instructions: those asked for, the first so many.
    groups: waits of each group. Only if waits and groups are asked for.
    """

    instructions: tuple[InstructionRow, ...]
    groups: tuple[GroupedWaits, ...] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class KindRow:
    """The units of one kind.

    kind: such as `dpu`.
    units: how many.
    jobs: instructions on them.
    busy_ns: in sum.
    share: of the time that they are busy, in the mean.
    busiest: name of the busiest.
    busiest_share: of the time that it is busy.
    """

    kind: str
    units: int
    jobs: int
    busy_ns: float
    share: float
    busiest: str
    busiest_share: float


@dataclass(frozen=True)
class UnitRow:
    """One unit.

    unit: name.
    jobs: instructions on it.
    busy_ns: in sum.
    share: of the time that it is busy.
    """

    unit: str
    jobs: int
    busy_ns: float
    share: float


@dataclass(frozen=True)
class BindingRow:
    """What takes time that no schedule of the program can spare.

    kind: of the units; null: chains of instructions that read each other's values.
    units: names, the longest first.
    ns: time of the lower bound that is theirs.
    share: of the makespan.
    change: what of the chip makes it less; empty for chains.
    """

    kind: str | None
    units: tuple[str, ...]
    ns: float
    share: float
    change: str


@dataclass(frozen=True)
class WaitRow:
    """Waits of one opcode for one cause.

    cause: what was waited for.
    opcode: of those that waited.
    waits: how many.
    total_ns: in sum.
    longest_ns: the longest.
    longest_id: id of the instruction that waited so long.
    longest_name: that instruction in words.
    """

    cause: str
    opcode: str
    waits: int
    total_ns: float
    longest_ns: float
    longest_id: int
    longest_name: str


@dataclass(frozen=True)
class WaitedRow:
    """How long one expert waited for another at one unit.

    unit: name.
    cause: `unit`, its converters, or else its input buffer.
    holder: expert that held it.
    waiter: expert that waited; -1: broadcasts.
    waits: how many.
    total_ns: in sum.
    """

    unit: str
    cause: str
    holder: int
    waiter: int
    waits: int
    total_ns: float


@dataclass(frozen=True)
class SimulateReport(Document):
    """A program simulated: `moexbar simulate --json`.

    mode: whether the given times were checked or computed anew in the same order.
    chip: whose times they are.
    changes: which numbers are not as in the preset or file of that name.
    instructions: of the program.
    makespan_ns: end of the last instruction.
    given_makespan_ns: the same as compiled.
    energies_as_compiled: whether energies, unlike times, are those of the chip compiled for.
    kinds: of units, the busiest first.
    units: the busiest so many.
    bound_by: what takes time that no schedule can spare, the longest first.
    waits: by cause and opcode. Only if asked for.
    pairs: who waited longest for whom, the first so many. Only if asked for.
    """

    mode: Literal["replay", "run"]
    chip: str
    changes: tuple[ChangeRow, ...]
    instructions: int
    makespan_ns: float
    given_makespan_ns: float
    energies_as_compiled: bool
    kinds: tuple[KindRow, ...]
    units: tuple[UnitRow, ...]
    bound_by: tuple[BindingRow, ...]
    waits: tuple[WaitRow, ...] | None = field(default=None, metadata=OPTIONAL)
    pairs: tuple[WaitedRow, ...] | None = field(default=None, metadata=OPTIONAL)

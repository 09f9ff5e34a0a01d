"""What a compilation is: the one value that verifier, executor, files and reports take."""

from collections.abc import Mapping as ByKey
from dataclasses import dataclass

from ir.arrays import Bools
from ir.chip import Chip, Size
from ir.mapping import Mapping
from ir.program import Program
from ir.schedule import Schedule
from ir.workload import Workload


@dataclass(frozen=True)
class SizeTry:
    """A size that was tried, and the time of the program with it."""

    value: int
    time_ps: int


@dataclass(frozen=True)
class SizeChoice:
    """An open size of the chip as the compiler chose it; tried: ascending."""

    size: Size
    value: int
    tried: tuple[SizeTry, ...]


@dataclass(frozen=True)
class OrderTry:
    """A slot order that was tried, and the time of the program with it."""

    policy: str
    time_ps: int


@dataclass(frozen=True, eq=False, repr=False)
class Executable:
    """A program with what it runs on: all that carrying it out takes."""

    workload: Workload
    chip: Chip
    mapping: Mapping
    program: Program

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.workload.name} on {self.chip.title}: "
            f"{len(self.program)} instructions, {self.program.makespan_ps / 1e6:.2f} us>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Compiled(Executable):
    """A program, and the decisions it came from; its chip has no open sizes.

    chosen: {MoE layer: bool [tokens, experts]}, the routing of the window, from the trace itself
    and not from the schedule. passed: {MoE layer whose router has outputs that pass tokens on: bool
    [tokens]}, the tokens that do, from there too. sizes: how those that the chip left open were
    chosen; orders: the slot orders that were tried, with sizes as large as they may be.
    """

    schedule: Schedule
    chosen: ByKey[int, Bools]
    passed: ByKey[int, Bools]
    sizes: tuple[SizeChoice, ...] = ()
    orders: tuple[OrderTry, ...] = ()

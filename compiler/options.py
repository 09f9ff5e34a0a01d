"""What is decided and how: the options of every stage, one class each, and of them all together.

Nothing here imports a solver, so that naming a choice costs nothing.
"""

import difflib
import math
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar, get_args

from ir.arrays import Span
from ir.errors import InputError
from ir.lengths import Tokens, in_words
from ir.schedule import Caches
from ir.stacks import NO_STACKS, Stacking

GroupingSolver = Literal[
    "contiguous",
    "sorted",
    "lpt",
    "karmarkar-karp",
    "matching",
    "co-activation",
    "local-search",
    "cp-sat",
    "highs",
    "scip",
]
Objective = Literal["slots", "time", "energy"]
Placer = Literal["in-order", "squares", "cp-sat"]
StackSolver = Literal["cp-sat", "apart", "uniform", "none"]
StackRule = Literal["auto", StackSolver]
DieSolver = Literal["in-order", "cut", "cp-sat", "search"]
DieRule = Literal["auto", DieSolver]
Policy = Literal[
    "token-serial",
    "token-order",
    "compact",
    "reschedule",
    "min-transfer",
    "column-generation",
    "cp-sat",
    "online",
]
Scheduling = Literal[
    "auto",
    "arriving",
    Policy,
]
GROUPING_SOLVERS: tuple[GroupingSolver, ...] = get_args(GroupingSolver)
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
PLACERS: tuple[Placer, ...] = get_args(Placer)
STACK_SOLVERS: tuple[StackSolver, ...] = get_args(StackSolver)
STACK_RULES: tuple[StackRule, ...] = get_args(StackRule)
DIE_SOLVERS: tuple[DieSolver, ...] = get_args(DieSolver)
DIE_RULES: tuple[DieRule, ...] = get_args(DieRule)
POLICIES: tuple[Policy, ...] = get_args(Policy)
SCHEDULINGS: tuple[Scheduling, ...] = get_args(Scheduling)
_OVER, _GRACE_S = 10.0, 15.0  # `most_s`: so often the time asked for, and so many seconds
_PROVEN_LAYERS = 4  # layers of a model whose proofs have all of the time; more share it


@dataclass(frozen=True)
class SolverOptions:
    """Limits of one solve.

    time_s: limit in CP-SAT's deterministic time units (about a second each on one core). An answer
    that a safety limit cut short does not repeat, and says so: cpu_s, of seconds that this process
    works, which are as many beside other work (None: see `most_s`), or wall_s, of real ones. With
    several workers the search is interleaved, which repeats too but costs 2-5 times the CPU.
    layers: of one model that share the time of proofs (`proof_s`).
    """

    time_s: float = 10.0
    workers: int = 1
    seed: int = 0
    wall_s: float = 3600.0
    layers: int = 1
    cpu_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("time_s", "wall_s", "cpu_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError("solver options", f"{name}: {value}, expected a positive number")
        if self.workers < 1:
            raise InputError("solver options", f"workers: {self.workers}, expected at least 1")
        if not 0 <= self.seed < 2**31:
            raise InputError("solver options", f"seed: {self.seed}, expected 0 to 2^31 - 1")
        if self.layers < 1:
            raise InputError("solver options", f"layers: {self.layers}, expected at least 1")

    @property
    def most_s(self) -> float:
        """Seconds of CPU after which a search is ended: a machine is not so many times as slow."""
        if self.cpu_s is not None:
            return self.cpu_s
        return (_OVER * self.time_s + _GRACE_S) * self.workers

    @property
    def proof_s(self) -> float:
        """Time of proofs in a layer: `time_s`, or its share if all together have that of four."""
        return self.time_s * min(1.0, _PROVEN_LAYERS / self.layers)


@dataclass(frozen=True)
class Shape:
    """`batch` sequences, of each `prefill` tokens together, then `decode` tokens one by one.

    sides: tokens together of each side of the model (an encoder and a decoder), where their lengths
    differ: `prefill` is that of the longest; decode steps there are none.
    """

    prefill: int
    batch: int = 1
    decode: int = 0
    sides: tuple[int, ...] = ()

    @classmethod
    def of(cls, tokens: Tokens, batch: int = 1, decode: int = 0) -> "Shape":
        """A shape by its tokens together, one number for all sides or one for each."""
        several = tokens if isinstance(tokens, tuple) else (tokens,)
        sides = several if len(set(several)) > 1 else ()
        return cls(max(several), batch, decode, sides)

    def __post_init__(self) -> None:
        if self.sides and min(self.sides) < 1:
            raise InputError("prefill", f"{self.asked}, expected at least 1 each")
        if self.sides and self.decode:
            raise InputError(
                f"--decode {self.decode}",
                f"sides of different lengths (--prefill {self.asked}) have no decode steps",
                "compile the prefill alone (--decode 0)",
            )
        for name, least in (("prefill", 1), ("batch", 1), ("decode", 0)):
            value = getattr(self, name)
            if value < least:
                raise InputError(name, f"{value}, expected at least {least}")

    @property
    def length(self) -> int:
        """Tokens of one sequence in all."""
        return self.prefill + self.decode

    @property
    def tokens(self) -> Tokens:
        """Tokens of one sequence in all, of each side where those differ."""
        return self.sides or self.length

    @property
    def asked(self) -> str:
        """The tokens together as they are typed."""
        return in_words(self.sides or self.prefill)

    @property
    def together(self) -> int:
        """Tokens of the prefill, of all sequences (their longest side)."""
        return self.prefill * self.batch


@dataclass(frozen=True)
class GroupingOptions:
    """Which experts share peripheral groups (`compiler.grouping`), of every MoE layer.

    groups: None stands for the fewest; size: experts in a group at most, None for the chip's mux;
    sizes: of single layers, each as (layer, experts), where another holds than of all; replicas:
    copies of experts to add, of the solver's choice; objective: what is minimised, see
    `compiler.grouping.costs`. digital: routed experts, each as (layer, expert), that are in no
    group: digital units multiply their matrices, and no crossbar holds them.
    """

    solver: GroupingSolver = "cp-sat"
    groups: int | None = None
    size: int | None = None
    replicas: int = 0
    objective: Objective = "slots"
    digital: tuple[tuple[int, int], ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        one_of("grouping", self.solver, GROUPING_SOLVERS, "solver")
        one_of("objective", self.objective, OBJECTIVES)
        layers = [layer for layer, _ in self.sizes]
        for layer, size in self.sizes:
            if size < 1 or layers.count(layer) > 1:
                raise InputError(
                    "group size", f"layer {layer}: {size}, expected each once and at least 1"
                )

    def of_layer(self, layer: int) -> "GroupingOptions":
        """The same asked of one layer, with its size and without digital experts."""
        size = dict(self.sizes).get(layer, self.size)
        return replace(self, size=size, sizes=(), digital=())


@dataclass(frozen=True)
class StackOptions:
    """Which fire groups share peripheral groups (`compiler.stacks`), to be chosen.

    solver: auto = of cp-sat's and apart's the stacks with the shorter program. layers: that share a
    region, at most; pgs: peripheral groups in all, at most, None = as many as stacks of that many
    layers need.
    """

    solver: StackRule = "auto"
    layers: int = 2
    pgs: int | None = None

    def __post_init__(self) -> None:
        one_of("stacks", self.solver, STACK_RULES)
        for name, value in (("layers", self.layers), ("peripheral groups", self.pgs)):
            if value is not None and value < 1:
                raise InputError("stacks", f"{name}: {value}, expected at least 1")


@dataclass(frozen=True)
class DieOptions:
    """Which die everything is on (`compiler.dies`).

    solver: auto = cp-sat where the problem is small, else search.
    """

    solver: DieRule = "auto"

    def __post_init__(self) -> None:
        one_of("dies", self.solver, DIE_RULES, "solver")


@dataclass(frozen=True)
class PlacementOptions:
    """Where every tile goes (`compiler.placement`), and how often.

    pack: ragged tiles share crossbars; dense_copies: of everything that is no routed expert's;
    stacks: what shares peripheral groups beyond the experts of a group, or how that is chosen;
    dies: how is chosen which die everything is on, where the chip has several.
    """

    solver: Placer = "in-order"
    pack: bool = False
    dense_copies: int = 1
    stacks: Stacking | StackOptions = NO_STACKS
    dies: DieOptions = field(default_factory=DieOptions)

    @property
    def stacking(self) -> Stacking:
        """The stacks, none where they are yet to be chosen."""
        return self.stacks if isinstance(self.stacks, Stacking) else NO_STACKS

    def __post_init__(self) -> None:
        one_of("placement", self.solver, PLACERS)
        if self.dense_copies < 1:
            raise InputError("dense copies", f"{self.dense_copies}, expected at least 1")


@dataclass(frozen=True)
class SlotOptions:
    """In which slot every group runs which token (`compiler.slots`).

    policy: auto = the one that makes the program shortest (`compiler.ordering`); arriving = that of
    min-transfer for tokens that come one a slot, as dense products give them. bus: at most so many
    transfers in a slot (B); buffer: at most so many unfinished tokens (W).
    """

    policy: Scheduling = "auto"
    bus: int | None = None
    buffer: int | None = None

    @property
    def of_a_layer(self) -> Policy:
        """The policy where there is a layer alone, whose tokens are all there."""
        if self.policy == "auto" or self.policy == "arriving":
            return "min-transfer"
        return self.policy

    def __post_init__(self) -> None:
        one_of("policy", self.policy, SCHEDULINGS)


@dataclass(frozen=True)
class Options:
    """What a compilation is asked, stage by stage.

    shape: sequences, tokens and decode steps; caches: what the steps keep. fit: token range that
    groups and placement are fitted to; score: range whose first window is scheduled and costed.
    limits: of the solvers, for one layer. processes: layers grouped at a time; more than one start
    the main module again, so a script needs its `if __name__ == "__main__"` line.
    """

    shape: Shape
    fit: Span
    score: Span
    grouping: GroupingOptions = field(default_factory=GroupingOptions)
    placement: PlacementOptions = field(default_factory=PlacementOptions)
    slots: SlotOptions = field(default_factory=SlotOptions)
    caches: Caches = field(default_factory=Caches)
    limits: SolverOptions = field(default_factory=lambda: SolverOptions(time_s=1.0))
    processes: int = 1


Name = TypeVar("Name", bound=str)


def one_of(where: str, name: str, known: tuple[Name, ...], kind: str = "") -> Name:
    """`name` as one of `known`; InputError naming all of them and the nearest where it is none.

    kind: what a name stands for, where `where` does not say it.
    """
    for candidate in known:
        if candidate == name:
            return candidate
    near = difflib.get_close_matches(name, known, n=1)
    raise InputError(
        where,
        f"{kind} {name!r}, expected one of {', '.join(known)}".lstrip(),
        f"did you mean {near[0]}?" if near else "",
    )

"""What was decided of each node of a model, and what it costs: for a viewer of its graph."""

from collections import defaultdict
from collections.abc import Mapping as ByKey
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never

import numpy as np

from ir.arrays import Ints
from ir.compiled import Executable
from ir.mapping import Block, DenseOwner, Mapping, RoutedOwner, SharedOwner
from ir.members import members
from ir.onnxdoor.annotate import annotated, constants_read
from ir.onnxdoor.load import Source
from ir.program import Opcode
from ir.stacks import Member
from ir.workload import AnyOperator

Notes = dict[str, dict[str, str]]
FEW = 8  # things that a note names one by one


def annotated_model(done: Executable, source: Source) -> bytes:
    """The model's graph with a note at each node, as an ONNX file without weights.

    source: the model that was compiled, of which the graph alone is looked at. Keys of the notes
    begin with `moexbar.`: see `notes`.
    """
    about = (
        f"{done.workload.name}, compiled for {done.chip.title}: the metadata of nodes says where "
        "their matrices are and what they cost; weights are left out"
    )
    return annotated(source, notes(done, source), about)


def notes(done: Executable, source: Source) -> Notes:
    """{node: {key: text}}.

    Of the operators that a node is of: `operator`, `layer`, `instructions`, `busy_us` (of all their
    units), `energy_uj`, `from_us` and `to_us`. Where it reads matrices that are on crossbars:
    `block`, `group` (of experts), `stack`, `die`, `cores`, and `mvm`, what their products take.
    """
    costs, places = _Costs(done), _Places.of(done.mapping)
    reads = constants_read(source)
    found: Notes = {}
    for node, operators in _operators_of(done.workload.operators).items():
        said = costs.told(operators)
        own = places.reading(reads.get(node, frozenset()), operators)
        if own:
            said |= places.told(own)
            said["mvm"] = costs.products([(places.blocks[n], places.member[n]) for n in own])
        found[node] = {f"moexbar.{key}": text for key, text in said.items()}
    return found


def _operators_of(operators: Sequence[AnyOperator]) -> dict[str, list[int]]:
    """{node: operators that it is of}; one cut for several dies is several."""
    found = defaultdict[str, list[int]](list)
    for index, op in enumerate(operators):
        for node in op.nodes:
            found[node].append(index)
    return found


class _Costs:
    """What the instructions of operators take."""

    def __init__(self, done: Executable) -> None:
        node = done.program.node
        order = np.argsort(node, kind="stable")
        ends = np.searchsorted(node[order], np.arange(len(done.workload.operators) + 1))
        self._rows = [order[a:b] for a, b in pairwise(ends)]
        self._program, self._operators = done.program, done.workload.operators
        units = enumerate(done.program.units)
        self._unit = {Member(u.layer, u.stage, u.group): n for n, u in units if u.kind == "group"}

    def told(self, operators: Sequence[int]) -> dict[str, str]:
        """Names and costs of the operators of a node."""
        program, of = self._program, [self._operators[n] for n in operators]
        rows = np.concatenate([self._rows[n] for n in operators])
        said = {"operator": _some([op.name for op in of]), "instructions": str(len(rows))}
        if of[0].layer >= 0:
            said["layer"] = str(of[0].layer)
        if len(rows):
            said["busy_us"] = _us(program.busy_ps[rows].sum())
            said["energy_uj"] = _uj(program.energy_fj[rows].sum())
            said["from_us"] = _us(program.start_ps[rows].min())
            said["to_us"] = _us(program.end_ps[rows].max())
        return said

    def products(self, blocks: Sequence[tuple[Block, Member]]) -> str:
        """What the products with some matrices take; those that fire together are one."""
        program = self._program
        rows = np.unique(np.concatenate([self._fired(*block) for block in blocks]))
        if not len(rows):
            return "none: no token of the window comes here"
        busy, energy = program.busy_ps[rows].sum(), program.energy_fj[rows].sum()
        return f"{len(rows)} products, {_us(busy)} us, {_uj(energy)} uJ"

    def _fired(self, block: Block, member: Member) -> Ints:
        """The MVMs of a matrix."""
        program, rows = self._program, self._rows[block.operator]
        expert = block.owner.expert if isinstance(block.owner, RoutedOwner) else -1
        mine = program.opcode[rows] == Opcode.MVM
        mine &= program.unit[rows] == self._unit[member]
        mine &= program.expert[rows] == expert
        return np.asarray(rows[mine])


@dataclass(frozen=True, eq=False)
class _Places:
    """Where matrices are.

    by_tensor: blocks of each tensor; member: fire group of each block; stacks: number of the stack
    that each fire group of one is in.
    """

    mapping: Mapping
    by_tensor: ByKey[str, list[int]]
    member: Sequence[Member]
    stacks: ByKey[Member, int]

    @classmethod
    def of(cls, mapping: Mapping) -> "_Places":
        by_tensor = defaultdict[str, list[int]](list)
        for index, block in enumerate(mapping.blocks):
            by_tensor[block.weight.tensor].append(index)
        stacks = {m: n for n, stack in enumerate(mapping.stacks.stacks) for m in stack}
        return cls(mapping, by_tensor, members(mapping), stacks)

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.mapping.blocks

    def reading(self, tensors: frozenset[str], operators: Sequence[int]) -> list[int]:
        """The blocks of tensors that are of some operators, in order."""
        found = (n for tensor in tensors for n in self.by_tensor.get(tensor, ()))
        return sorted(n for n in found if self.blocks[n].operator in operators)

    def told(self, own: Sequence[int]) -> dict[str, str]:
        """What was decided of some blocks."""
        said = {"block": _some([self._block(n) for n in own])}
        groups = dict.fromkeys(self._group(n) for n in own if self._is_routed(n))
        if groups:
            said["group"] = _some(list(groups))
        stacks = dict.fromkeys(self.stacks[m] for n in own if (m := self.member[n]) in self.stacks)
        if stacks:
            said["stack"] = _some([self._stack(number) for number in stacks])
        pgs = np.unique(np.concatenate([self._pgs(n) for n in own]))
        place = self.mapping.placement
        die, core = np.divmod(place.core[pgs], place.mesh_width * place.mesh_height)
        said["die"] = _some([str(d) for d in np.unique(die)])
        cores = np.unique(np.stack([die, core]), axis=1).T.tolist()
        said["cores"] = _some([self._core(*one) for one in cores])
        return said

    def _is_routed(self, n: int) -> bool:
        return isinstance(self.blocks[n].owner, RoutedOwner)

    def _block(self, n: int) -> str:
        block, pgs = self.blocks[n], self._pgs(n)
        one = f"group {pgs.min()}" if len(pgs) == 1 else f"groups {pgs.min()} to {pgs.max()}"
        return f"{_whose(block)}: {block.rows} x {block.columns} tiles, peripheral {one}"

    def _group(self, n: int) -> str:
        """The group of experts that a routed expert's block is in."""
        block, group = self.blocks[n], self.member[n].group
        experts = self.mapping.grouping.of(block.layer).groups[group]
        return f"group {group}: experts {', '.join(map(str, experts))}"

    def _stack(self, number: int) -> str:
        members = self.mapping.stacks.stacks[number]
        return f"stack {number}: {'; '.join(map(str, members))}"

    def _pgs(self, n: int) -> Ints:
        block, start = self.blocks[n], int(self.mapping.placement.pg_start[n])
        column = start + self.mapping.column_lengths[n] * np.arange(block.columns)
        return np.asarray(np.arange(block.rows)[:, None] + column).ravel()

    def _core(self, die: int, core: int) -> str:
        place = self.mapping.placement
        y, x = divmod(core, place.mesh_width)
        on = "" if place.topology.count == 1 else f" of die {die}"
        return f"({x}, {y}){on}"


def _whose(block: Block) -> str:
    """A block in words."""
    match block.owner:
        case DenseOwner(copy):
            return "matrix" + f", copy {copy}" * (copy > 0)
        case RoutedOwner(expert, replica):
            return f"{block.role} of expert {expert}" + f", copy {replica}" * (replica > 0)
        case SharedOwner(number, copy):
            return f"{block.role} of shared expert {number}" + f", copy {copy}" * (copy > 0)
        case _:
            assert_never(block.owner)


def _some(words: Sequence[str]) -> str:
    """A few of the words, and how many more there are."""
    more = f" and {len(words) - FEW} more" if len(words) > FEW else ""
    return "; ".join(words[:FEW]) + more


def _us(ps: int) -> str:
    return f"{ps / 10**6:.3f}"


def _uj(fj: int) -> str:
    return f"{fj / 10**9:.3f}"

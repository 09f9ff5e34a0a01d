"""Carry out a program: operator by operator, all instructions of one kind together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from backends.functional.caches import keep, recall
from backends.functional.crossbars import Crossbars
from backends.functional.experts import run_moe
from backends.functional.machine import OWN_NODES, At, Machine, run_nodes
from backends.functional.order import check_order
from backends.functional.products import run_dense
from backends.functional.reference import reference
from backends.functional.runs import Run
from backends.functional.streams import run_stream
from backends.functional.traced import Traced
from backends.functional.values import Batch, Values
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.compiled import Executable
from ir.crossings import without_crossings
from ir.errors import InputError
from ir.mapping import Mapping
from ir.onnxdoor.load import Source
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import StoredMatrices
from ir.program import Opcode, Program
from ir.workload import Attention, Dense, Digital, MoELayer, Workload


@dataclass(frozen=True, eq=False)
class Case:
    """A program with what it runs on, the opened model, and the inputs of its window.

    runs: the sequences of the window as the model runs them together, each from its start;
    sequence: [window tokens] id, where the last `before` ones are no tokens of the program, but
    what comes before it in its first sequence: their values are the model's own.
    again: with expert choice, for each step the runs of the model on the tokens so far (see
    `uncached`). traced: the routing that the program was compiled for, where that was given and may
    be of another model or other inputs.
    """

    executable: Executable
    source: Source
    runs: Sequence[Run]
    sequence: Ints
    again: Sequence[Sequence[Run]] = ()
    before: int = 0
    traced: Traced | None = None

    @property
    def program(self) -> Program:
        """The program."""
        return self.executable.program

    @property
    def mapping(self) -> Mapping:
        """Where its weights are."""
        return self.executable.mapping

    @property
    def workload(self) -> Workload:
        """The model as the compiler read it."""
        return self.executable.workload

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.executable.chip

    def running(self, program: Program) -> "Case":
        """The same case with another program."""
        return replace(self, executable=replace(self.executable, program=program))


def execute(
    case: Case, runtime: Runtime, crossbars: Crossbars | None = None, *, fixed: bool = False
) -> Machine:
    """The state after all steps whose tokens are in the case's runs: the prefill, or every step.

    A decode step works on arrays of the whole window, in which later tokens are zeros that no
    causal attention looks at. Raises CheckError naming the instruction that cannot be carried out,
    InputError for a chip or model that this backend does not know, OtherRoutingError for a routing
    trace that is not the model's. crossbars: as programmed, if not
    from the mapping. fixed: the program's experts and the model's own gates, whatever the vectors.
    """
    check_order(case.program, case.chip.pg.input_buffers)
    p = without_crossings(case.program)  # each has brought its value, and nothing else
    nodes = Nodes(case.source, runtime)
    arrival = np.concatenate([first_steps(p), np.zeros(case.before, dtype=np.int64)])
    m = Machine(
        p,
        case.workload,
        case.chip,
        crossbars or Crossbars(case.mapping, case.chip, case.source),
        nodes,
        case.runs,
        reference(nodes, case.workload, case.runs, arrival),
        Values(p, case.sequence),
        StoredMatrices(case.source),
        np.full(len(p), -1, dtype=np.int64),
        arrival,
        case.again,
        fixed,
        case.before,
        case.traced,
    )
    last = int(m.arrival[m.cells].max(initial=0))
    _refuse_steps(case, last)
    for m.step in range(last + 1):
        of_step = np.where(p.step == m.step, p.node, -1)
        for index in range(len(case.workload.operators)):
            _carry_out(m, index, np.flatnonzero(of_step == index))
    return m


def first_steps(program: Program) -> Ints:
    """The step in which each window token first takes part: int64 [tokens]."""
    out = np.full(int(program.token.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    named = program.token >= 0
    np.minimum.at(out, program.token[named], program.step[named])
    return out


def _refuse_steps(case: Case, last: int) -> None:
    """Decode steps can be executed where every cache access is in the program."""
    if last and case.chip.memory.accounting == "reference":
        raise InputError(
            case.workload.name,
            f"decode steps on chip {case.chip.name}, memory.accounting 'reference': writes to its "
            "caches are no instructions",
            "execute the prefill alone",
        )


def _carry_out(m: Machine, index: int, rows: Ints) -> None:
    """One operator in one step."""
    p, op = m.program, m.workload.operators[index]
    rows = _moves(m, rows)
    by_opcode = {code: rows[p.opcode[rows] == code] for code in Opcode}
    recall(m, np.concatenate([by_opcode[Opcode.KV_RD], by_opcode[Opcode.GO_RD]]))
    own = np.sort(np.concatenate([by_opcode[code] for code in OWN_NODES]))
    writes = np.concatenate([by_opcode[Opcode.KV_WR], by_opcode[Opcode.GO_WR]])
    match op:
        case Digital():
            run_nodes(At(m, index, op), own)
        case Attention():
            streamed = own[p.token[own] >= 0]
            if len(streamed):
                run_stream(At(m, index, op), streamed)
            if len(streamed) < len(own) or not len(own):
                run_nodes(At(m, index, op), own[p.token[own] < 0])
            keep(At(m, index, op), writes)
        case Dense():
            run_dense(At(m, index, op), by_opcode)
        case MoELayer():
            run_moe(At(m, index, op), by_opcode)
            keep(At(m, index, op), writes)
        case _:
            assert_never(op)
    chosen = by_opcode[Opcode.SAMPLE]  # the next token is the model's input
    m.values.put(chosen, p.token[chosen].astype(np.int64), Batch({}))


def _moves(m: Machine, rows: Ints) -> Ints:
    """Carry out an operator's XFERs between regions; the other rows."""
    mesh = np.array([unit.kind == "mesh" for unit in m.program.units])
    moves: Bools = (m.program.opcode[rows] == Opcode.XFER) & mesh[m.program.unit[rows]]
    if moves.any():
        m.values.move(rows[moves])
    others: Ints = rows[~moves]
    return others

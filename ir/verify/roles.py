"""What instructions are for: forms of operators, roles of instructions, kinds of units."""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import assert_never

import numpy as np

from ir.arrays import Bools, Ints
from ir.program import Opcode, Unit, UnitKind
from ir.workload import AnyOperator, Attention, Dense, Digital, DigitalKind, MoELayer, Scope

KINDS: tuple[UnitKind, ...] = (
    "group",
    "bus",
    "return",
    "link",
    "mesh",
    "dpu",
    "mha",
    "acc",
    "dram",
    "d2d",
)
KIND: dict[str, int] = {kind: code for code, kind in enumerate(KINDS)}
_PLACE = ("layer", "stage", "group", "die")
FIELDS: dict[UnitKind, tuple[str, ...]] = {  # numbers that a unit of a kind has
    "group": (*_PLACE, "first_pg", "pgs", "input_bytes"),
    "acc": _PLACE,
    "link": _PLACE,
    "bus": ("layer", "die", "width", "columns", "rows"),
    "return": ("layer", "die", "width", "lanes"),
    "mesh": ("layer", "die"),
    "dpu": ("layer", "die", "units"),
    "mha": ("layer", "die", "units"),
    "dram": ("units",),
    "d2d": ("die", "to"),
}


class Form(IntEnum):
    """How an operator's instructions are counted: per token, per sequence, one, or by job."""

    TOKEN = 0
    SEQUENCE = 1
    CONSTANT = 2
    DENSE = 3
    MOE = 4


class Role(IntEnum):
    """What an instruction is for in its operator.

    OUT, IN: XFER of the hidden values to and from the digital units; SCALE: MUL by a gate of the
    expert's input, MUL: of the activated gate and up; MOVE: XFER between regions;
    RESULT: what a digital or attention operator does; 0, 1: of the first or second stage; RD, WR:
    of a cache, which holds keys and values, inputs of MoE layers, router scores or their outputs;
    EXPERT: a routed expert as a whole, on a digital unit; CROSS: a value on its way to another die.
    """

    NONE = 0
    RESULT = 1
    MOVE = 2
    LOAD = 3
    MVM0 = 4
    ACC0 = 5
    OUT = 6
    SCALE = 7
    ACT = 8
    MUL = 9
    IN = 10
    MVM1 = 11
    ACC1 = 12
    STORE = 13
    GATE = 14
    TOPK = 15
    COMBINE = 16
    SAMPLE = 17
    KEYS_RD = 18
    KEYS_WR = 19
    INPUTS_RD = 20
    INPUTS_WR = 21
    SCORES_RD = 22
    SCORES_WR = 23
    OUTPUTS_RD = 24
    OUTPUTS_WR = 25
    EXPERT = 26
    CROSS = 27


READS_OF_CACHES = (Role.KEYS_RD, Role.INPUTS_RD, Role.SCORES_RD, Role.OUTPUTS_RD)
WRITES_OF_CACHES = (Role.KEYS_WR, Role.INPUTS_WR, Role.SCORES_WR, Role.OUTPUTS_WR)

CHAIN = (
    Role.ACC0,
    Role.OUT,
    Role.SCALE,
    Role.ACT,
    Role.MUL,
    Role.IN,
    Role.MVM1,
    Role.ACC1,
    Role.STORE,
)


_FORMS: dict[Scope, Form] = {
    "token": Form.TOKEN,
    "sequence": Form.SEQUENCE,
    "constant": Form.CONSTANT,
}
_OPCODES: dict[DigitalKind, Opcode] = {
    "embed": Opcode.EMBED,
    "norm": Opcode.NORM,
    "add": Opcode.ADD,
    "mul": Opcode.MUL,
    "act": Opcode.ACT,
    "other": Opcode.DIGITAL,
    "join": Opcode.DIGITAL,
}


def without_place(unit: Unit) -> list[str]:
    """Numbers of a unit that its kind has not, and that are not as where they do not apply."""
    plain = Unit(unit.kind, unit.name)
    others = (field.name for field in fields(Unit) if field.name not in FIELDS[unit.kind])
    return [name for name in others if getattr(unit, name) != getattr(plain, name)]


def form_of(op: AnyOperator) -> Form:
    """The form of an operator."""
    match op:
        case Digital():
            return _FORMS[op.scope]
        case Attention():
            return Form.SEQUENCE
        case MoELayer():
            return Form.MOE
        case Dense():
            return Form.DENSE
        case _:
            assert_never(op)


def result_opcode(op: AnyOperator) -> int:
    """Opcode by which a digital or attention operator is done, -1 for others."""
    match op:
        case Digital():
            return _OPCODES[op.kind]
        case Attention():
            return Opcode.ATTN
        case Dense() | MoELayer():
            return -1
        case _:
            assert_never(op)


@dataclass(frozen=True, eq=False)
class Columns:
    """What the role of a row depends on: [rows] each.

    second: of the second stage; kind: of its unit, as in KIND; form: of its operator.
    """

    opcode: Ints
    second: Bools
    kind: Ints
    form: Ints


def roles_of(columns: Columns, own: Ints) -> Ints:
    """Role of each row; NONE where its opcode has no place in its operator.

    own: opcode by which each row's operator is done, -1 where it is not by one.
    """
    code, second = columns.opcode, columns.second
    moe = columns.form == Form.MOE
    crossbar = moe | (columns.form == Form.DENSE)
    attention = own == Opcode.ATTN
    xfer, link = code == Opcode.XFER, columns.kind == KIND["link"]
    role = np.zeros(len(code), dtype=np.int64)
    for mask, value in (
        (code == own, Role.RESULT),
        (xfer & (columns.kind == KIND["mesh"]), Role.MOVE),
        (crossbar & (code == Opcode.LOAD), Role.LOAD),
        (crossbar & (code == Opcode.MVM) & ~second, Role.MVM0),
        (moe & (code == Opcode.MVM) & second, Role.MVM1),
        (crossbar & (code == Opcode.ACC) & ~second, Role.ACC0),
        (moe & (code == Opcode.ACC) & second, Role.ACC1),
        (moe & xfer & link & ~second, Role.OUT),
        (moe & xfer & link & second, Role.IN),
        (moe & (code == Opcode.ACT), Role.ACT),
        (moe & (code == Opcode.MUL), Role.MUL),
        (crossbar & (code == Opcode.STORE), Role.STORE),
        (moe & (code == Opcode.GATE), Role.GATE),
        (moe & (code == Opcode.TOPK), Role.TOPK),
        (moe & (code == Opcode.COMBINE), Role.COMBINE),
        (moe & (code == Opcode.DIGITAL), Role.EXPERT),
        (code == Opcode.SAMPLE, Role.SAMPLE),
        (code == Opcode.CROSS, Role.CROSS),
        (attention & (code == Opcode.KV_RD), Role.KEYS_RD),
        (attention & (code == Opcode.KV_WR), Role.KEYS_WR),
        (moe & (code == Opcode.KV_RD), Role.INPUTS_RD),
        (moe & (code == Opcode.KV_WR), Role.INPUTS_WR),
        (moe & (code == Opcode.GO_RD), Role.OUTPUTS_RD),
        (moe & (code == Opcode.GO_WR), Role.OUTPUTS_WR),
    ):
        role[mask] = value
    return role


def roles_by_topk(role: Ints, reader: Ints, read: Ints) -> Ints:
    """What a TOPK reads from the GO cache, and what is kept of it, are scores, not outputs.

    A MUL that reads one multiplies by gates. role: [rows], changed; reader, read: [edges].
    """
    scale = (role[reader] == Role.MUL) & (role[read] == Role.TOPK)
    role[reader[scale]] = Role.SCALE
    scores = read[(role[reader] == Role.TOPK) & (role[read] == Role.OUTPUTS_RD)]
    role[scores] = Role.SCORES_RD
    write = (role[reader] == Role.OUTPUTS_WR) & (role[read] == Role.TOPK)
    role[reader[write]] = Role.SCORES_WR
    return role

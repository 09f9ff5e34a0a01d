"""What instructions are for: forms of operators, roles of instructions, kinds of units."""

from enum import IntEnum

from ir.program import Opcode, UnitKind
from ir.workload import Attention, Digital, MoELayer, Operator

KINDS: tuple[UnitKind, ...] = (
    "group", "bus", "return", "link", "mesh", "dpu", "mha", "acc", "dram",
)  # fmt: skip
KIND: dict[str, int] = {kind: code for code, kind in enumerate(KINDS)}


class Form(IntEnum):
    """How an operator's instructions are counted: per token, per sequence, one, or by job."""

    TOKEN = 0
    SEQUENCE = 1
    CONSTANT = 2
    DENSE = 3
    MOE = 4


class Role(IntEnum):
    """What an instruction is for in its operator.

    OUT, IN: XFER of the hidden values to and from the digital units; MOVE: XFER between regions;
    RESULT: what a digital or attention operator does; 0, 1: of the first or second stage; RD, WR:
    of a cache, which holds keys and values, inputs of MoE layers, router scores or their outputs.
    """

    NONE = 0
    RESULT = 1
    MOVE = 2
    LOAD = 3
    MVM0 = 4
    ACC0 = 5
    OUT = 6
    ACT = 7
    MUL = 8
    IN = 9
    MVM1 = 10
    ACC1 = 11
    STORE = 12
    GATE = 13
    TOPK = 14
    COMBINE = 15
    SAMPLE = 16
    KEYS_RD = 17
    KEYS_WR = 18
    INPUTS_RD = 19
    INPUTS_WR = 20
    SCORES_RD = 21
    SCORES_WR = 22
    OUTPUTS_RD = 23
    OUTPUTS_WR = 24


READS_OF_CACHES = (Role.KEYS_RD, Role.INPUTS_RD, Role.SCORES_RD, Role.OUTPUTS_RD)
WRITES_OF_CACHES = (Role.KEYS_WR, Role.INPUTS_WR, Role.SCORES_WR, Role.OUTPUTS_WR)

CHAIN = (
    Role.ACC0, Role.OUT, Role.ACT, Role.MUL, Role.IN, Role.MVM1, Role.ACC1, Role.STORE,
)  # fmt: skip


def form_of(op: Operator) -> Form:
    """The form of an operator."""
    if isinstance(op, Digital):
        scopes = {"token": Form.TOKEN, "sequence": Form.SEQUENCE, "constant": Form.CONSTANT}
        return scopes[op.scope]
    if isinstance(op, Attention):
        return Form.SEQUENCE
    return Form.MOE if isinstance(op, MoELayer) else Form.DENSE


def result_opcode(op: Operator) -> int:
    """Opcode by which a digital or attention operator is done, -1 for others."""
    if isinstance(op, Digital):
        return {
            "embed": Opcode.EMBED,
            "norm": Opcode.NORM,
            "add": Opcode.ADD,
            "mul": Opcode.MUL,
            "act": Opcode.ACT,
            "other": Opcode.DIGITAL,
        }[op.kind]
    return Opcode.ATTN if isinstance(op, Attention) else -1

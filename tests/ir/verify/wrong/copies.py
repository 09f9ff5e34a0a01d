"""Copies of dense blocks that are none, or are not used in turn."""

from dataclasses import replace

from ir.compiled import Compiled
from ir.mapping import DenseOwner
from ir.program import Opcode
from ir.workload import Weight
from tests.ir.verify.wrong.edits import Tables, behind_another, copied, edited
from tests.ir.verify.wrong.find import rows
from tests.ir.verify.wrong.programs import dense_twice


def other_weights_in_a_copy(c: Compiled) -> Compiled:
    # the first matrix of an operator's own is q0's: its second copy holds the numbers of k0
    return copied(c, DenseOwner(1), weight=Weight("k0", 20, 20, bits=8))


def a_copy_too_many(c: Compiled) -> Compiled:
    return copied(c, DenseOwner(1), owner=DenseOwner(2))


def a_copy_too_few(c: Compiled) -> Compiled:
    return replace(c, mapping=replace(c.mapping, dense_copies=3))


def copies_behind_one_group(c: Compiled) -> Compiled:
    # both copies of q0 on the PGs of the first; those of the second are not there any more
    one, two = (
        next(i for i, b in enumerate(c.mapping.blocks) if b.owner == DenseOwner(n)) for n in (0, 1)
    )
    return behind_another(c, one, two)


def first_of_q(c: Compiled, opcode: Opcode) -> tuple[int, int]:
    """The first instruction of a kind of token 0 of q0, and the unit of token 1's."""
    q = [op.name for op in c.workload.operators].index("q0")
    one, two = (rows(c.program, opcode, node=q, token=t)[0] for t in (0, 1))
    return int(one), int(c.program.unit[two])


def token_out_of_turn(c: Compiled) -> Compiled:
    return edited(c, "unit", *first_of_q(c, Opcode.MVM))


def sums_of_the_other_copy(c: Compiled) -> Compiled:
    return edited(c, "unit", *first_of_q(c, Opcode.ACC))


def second_stage_of_the_other_copy(c: Compiled) -> Compiled:
    # a shared expert's second stages, by token: copy 0 and copy 1
    p = c.program
    one, two = (rows(p, Opcode.MVM, stage=1, expert=-1, token=t)[0] for t in (0, 1))
    return edited(c, "unit", one, int(p.unit[two]))


def copy_of_another_name(c: Compiled) -> Compiled:
    return edited(c, "replica", first_of_q(c, Opcode.MVM)[0], 1)


TABLES: Tables = [
    (
        dense_twice,
        [
            ("blocks", other_weights_in_a_copy),
            ("blocks", a_copy_too_many),
            ("blocks", a_copy_too_few),
            ("crossbars", copies_behind_one_group),
            ("group-sharing", copies_behind_one_group),
            ("copies", token_out_of_turn),
            ("jobs", sums_of_the_other_copy),
            ("jobs", second_stage_of_the_other_copy),
            ("expert-group", copy_of_another_name),
        ],
    ),
]

"""Durations, energies, bytes, MACs and totals that are a little off."""

from functools import cache

from ir.compiled import Compiled
from ir.program import Opcode
from tests.ir.verify.forms.narrow import NARROW
from tests.ir.verify.wrong.edits import Tables, add, edited, with_counted
from tests.ir.verify.wrong.find import rows
from tests.ir.verify.wrong.programs import base, gates_on_input
from tests.make import compile_small, small_workload


def mvm_called_an_accumulation(c: Compiled) -> Compiled:
    return edited(c, "opcode", rows(c.program, Opcode.MVM)[0], Opcode.ACC)


def bytes_of_sums(c: Compiled) -> Compiled:
    row = rows(c.program, Opcode.MVM)[0]
    return edited(c, "bytes", row, c.program.bytes[row] + 1)


def bytes_of_added_sums(c: Compiled) -> Compiled:
    return edited(c, "bytes", rows(c.program, Opcode.ACC)[0], 1)


def a_core_more(c: Compiled) -> Compiled:
    return with_counted(c, "cores", 1)


def a_byte_more_is_read(c: Compiled) -> Compiled:
    return with_counted(c, "buffer_read_bytes", 1)


@cache
def gated_beside_plain() -> Compiled:
    """Correct: of two shared experts one has a gate."""
    return compile_small(small_workload(layers=1, shared=2, shared_gates=(False, True)))


TABLES: Tables = [
    (
        base,
        [
            ("duration", add("duration_ps", Opcode.ATTN, 1)),
            ("duration", add("busy_ps", Opcode.STORE, -1)),
            ("energy", add("energy_fj", Opcode.XFER, 1)),
            ("bytes", add("bytes", Opcode.LOAD, 1)),
            ("bytes", bytes_of_sums),
            ("bytes", bytes_of_added_sums),
            ("macs", add("macs", Opcode.MVM, -1)),
            ("macs", add("macs", Opcode.ATTN, 1)),
            ("macs", add("macs", Opcode.GATE, -20)),  # d 20: the shared expert's gate left out
            ("duration", add("duration_ps", Opcode.COMBINE, -1)),
            ("energy", add("energy_fj", Opcode.COMBINE, -1)),
            ("mvm-count", mvm_called_an_accumulation),
            ("mvm-energy", add("energy_fj", Opcode.MVM, 1)),
            ("inventory", a_core_more),
        ],
    ),
    (
        gates_on_input,
        [
            ("duration", add("duration_ps", Opcode.MUL, -1)),
            ("energy", add("energy_fj", Opcode.MUL, 1)),
            ("energy", add("energy_fj", Opcode.COMBINE, 1)),
        ],
    ),
    # d 20: the only gate of a shared expert
    (gated_beside_plain, [("macs", add("macs", Opcode.GATE, -20))]),
    (NARROW["streams whose jobs' results are added"], [("inventory", a_byte_more_is_read)]),
]

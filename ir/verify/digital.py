"""What an instruction of a digital operator takes, from the operator and its tokens."""

from ir import timing
from ir.timing import Cost
from ir.verify.case import ProgramCase
from ir.workload import Digital


def digital_cost(case: ProgramCase, op: Digital, of_pass: int) -> Cost:
    """Its work, and products with the matrices it holds: read once a use, stacks per token.

    What does not depend on the tokens comes with the program.
    """
    if op.scope == "constant":
        return Cost(0, 0, 0)
    tokens = tokens_of_use(case, op, of_pass)
    data = op.weight_bytes + tokens * op.gathered_bytes
    return timing.with_products(case.chip, _work(case, op, tokens), tokens * op.macs, data)


def tokens_of_use(case: ProgramCase, op: Digital, of_pass: int) -> int:
    """Tokens that one instruction is for; 1 where it is not for tokens at all."""
    if op.scope != "sequence":
        return 1
    return int(case.visits.running[op.side][of_pass])


def _work(case: ProgramCase, op: Digital, tokens: int) -> Cost:
    """All but products with matrices."""
    if op.kind == "join":
        return timing.join()
    if op.scope != "token":
        return timing.digital(case.chip, op.elements * tokens)
    if op.kind == "norm":
        return timing.norm(case.chip, op.width)
    if op.kind == "act":
        return timing.act(case.chip, op.width, op.passes)
    if op.kind == "other":
        return timing.digital(case.chip, op.elements)
    return timing.add(case.chip, op.width)

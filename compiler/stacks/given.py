"""Stacks decided elsewhere, held against the fire groups they are to be used for."""

from collections.abc import Sequence

from compiler.stacks.problem import Candidate, too_deep, words
from ir.errors import InputError
from ir.stacks import Stacking


def check_given(
    stacking: Stacking, candidates: Sequence[Candidate], *, limit: int, where: str = "stacks"
) -> Stacking:
    """The stacks as given; where: their file, for messages.

    Raises InputError for a member that is no candidate, and InfeasibleError for a stack with more
    crossbars behind a peripheral group than `limit`.
    """
    depth = {of.member: of.depth for of in candidates}
    for number, stack in enumerate(stacking.stacks):
        for member in stack:
            if member not in depth:
                raise InputError(
                    where,
                    f"stack {number}: {words(member)}, expected one of the "
                    f"{len(depth)} fire groups of the model",
                    "choose the stacks for the groups that are used",
                )
        needed = sum(depth[member] for member in stack)
        if needed > limit:
            raise too_deep(f"stack {number} of {where}", needed, limit)
    return stacking

"""What a solver returns is held against what was asked by code of its own."""

import numpy as np
import pytest

from compiler.stacks import Candidate
from compiler.stacks.check import check_stacks
from compiler.stacks.problem import StackProblem
from ir.errors import CheckError
from ir.stacks import Member, Stacking


@pytest.mark.parametrize(
    ("stacks", "check"),
    [
        ([[0], [1]], "each fire group once"),
        ([[0], [1, 2], [2]], "each fire group once"),
        ([[0, 1, 2]], "crossbars behind a PG"),
        ([[0], [1], [2]], "PGs of stacks"),
        ([[0, 2], [1]], "layers in a region"),
    ],
    ids=str,
)
def test_what_was_not_asked_for_is_found_by_other_code(stacks: list[list[int]], check: str) -> None:
    # 3, 3 and 2 PGs in 6, two behind each at most, no two layers together: only layer 0's pair can
    members = Member(0, 0, 0), Member(0, 0, 1), Member(1, 0, 0)
    candidates = tuple(Candidate(of, pgs, 1) for of, pgs in zip(members, (3, 3, 2), strict=True))
    problem = StackProblem(candidates, np.zeros((3, 1), dtype=np.int64), 10, 2, 6, 1)
    check_stacks(problem, [[0, 1], [2]], Stacking((members[:2],)))
    stacking = Stacking(tuple(tuple(members[i] for i in stack) for stack in stacks if stack != [2]))
    with pytest.raises(CheckError, match=check):
        check_stacks(problem, stacks, stacking)

"""The heaviest chains of instructions that wait for each other, compiled."""

from ir.arrays import Array
from ir.jit import compiled


@compiled
def chains(weight: Array, ended_at: Array, ended: Array) -> tuple[Array, Array]:
    """The heaviest chain that ends with each row, and that begins with it, both with the row.

    ended[ended_at[i]:ended_at[i + 1]]: rows that i waits for, all of lower ids.
    """
    before, behind = weight.copy(), weight.copy()
    for row in range(len(weight)):
        for i in range(ended_at[row], ended_at[row + 1]):
            before[row] = max(before[row], before[ended[i]] + weight[row])
    for row in range(len(weight) - 1, -1, -1):
        for i in range(ended_at[row], ended_at[row + 1]):
            one = ended[i]
            behind[one] = max(behind[one], behind[row] + weight[one])
    return before, behind

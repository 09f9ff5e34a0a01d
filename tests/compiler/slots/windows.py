"""Windows that the tests of slot orders share, and the brute force they are judged by.

Counts are written as rows of tokens over columns of groups: c[t, g] = experts of g that t uses.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compiler.slots.bounds import slots_bound

# Tokens' experts, counted from 1, and groups: the worked example of docs/model.md, section Slots.
EXPERTS = [(2, 4, 6, 8), (2, 3, 4, 7), (1, 2, 5, 7), (1, 2, 3, 5), (1, 4, 5, 7), (3, 4, 5, 7)]
PAIRS = [(1, 2), (3, 4), (5, 6), (7, 8)]
UNSHARED = [(e,) for e in range(1, 9)]


def worked_example(groups: Sequence[tuple[int, ...]]) -> np.ndarray:
    return np.array([[len(set(used) & set(group)) for group in groups] for used in EXPERTS])


def counts_of(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


def tiny_windows(number: int) -> list[np.ndarray]:
    """Windows of 1 to 5 tokens and 1 to 4 groups of at most two experts, at most 4 slots."""
    rng = np.random.default_rng(2602)
    found: list[np.ndarray] = []
    while len(found) < number:
        shape = (rng.integers(1, 6), rng.integers(1, 5))
        counts = rng.choice([0, 1, 1, 2], size=shape)
        if slots_bound(counts) <= 4 and counts.sum() <= 11:
            found.append(counts)
    return found


def fewest_transfers(counts: np.ndarray, slots: int) -> int | None:
    """Try every way to fill slot after slot; None if the turns do not fit."""
    groups = counts.shape[1]

    @cache
    def rest(left: tuple[int, ...], slots: int) -> int | None:
        table = np.array(left).reshape(counts.shape)
        if int(table.sum(axis=0).max(initial=0)) > slots:
            return None
        if not any(left):
            return 0
        best = None
        choices = [[-1, *np.flatnonzero(table[:, g]).tolist()] for g in range(groups)]
        for row in product(*choices):
            after = list(left)
            for g, t in enumerate(row):
                if t >= 0:
                    after[t * groups + g] -= 1
            more = rest(tuple(after), slots - 1)
            if more is not None:
                cost = len({t for t in row if t >= 0}) + more
                best = cost if best is None else min(best, cost)
        return best

    return rest(tuple(int(x) for x in counts.ravel()), slots)


TINY = tiny_windows(200)


@cache
def tiny_optimum(index: int) -> int:
    best = fewest_transfers(TINY[index], slots_bound(TINY[index]))
    assert best is not None
    return best


WINDOWS = arrays(
    np.int64,
    st.tuples(st.integers(0, 24), st.integers(1, 10)),
    elements=st.integers(0, 3),
)


def window(seed: int, skew: float, mux: int) -> np.ndarray:
    """Counts of 256 tokens with 4 of 32 experts each; popularity falls as 1 / rank^skew.

    Groups of `mux` experts, the hot half folded onto the cold half.
    """
    tokens, experts, top = 256, 32, 4
    rng = np.random.default_rng(seed)
    popularity = np.arange(1, experts + 1) ** -skew
    chosen = np.stack(
        [
            rng.choice(experts, size=top, replace=False, p=popularity / popularity.sum())
            for _ in range(tokens)
        ]
    )
    half, groups = mux // 2, experts // mux
    rank = np.arange(experts)
    group = np.where(rank < experts // 2, rank // half, (experts - 1 - rank) // half)
    counts = np.zeros((tokens, groups), dtype=np.int64)
    np.add.at(counts, (np.arange(tokens)[:, None], group[chosen]), 1)
    return counts

"""What may share peripheral groups (PGs), and what it would cost: the time when both compute."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ir.arrays import Ints
from ir.errors import Amount, InfeasibleError, InputError
from ir.stacks import Member

_EXACT_FLOAT = 1 << 53  # whole numbers up to it are exact as 64-bit floats
_MOST = 1 << 62
_MOST_ROWS = 3000


@dataclass(frozen=True)
class Candidate:
    """A fire group that may be in a stack.

    pgs: PGs that it takes; depth: crossbars that it needs behind each of them, as many as its
    group has experts, 1 of a dense matrix.
    """

    member: Member
    pgs: int
    depth: int


@dataclass(frozen=True, eq=False)
class Pool:
    """Things any of which may stand together: fire groups of a region, or layers.

    size: what each takes (PGs) [n], a stack the most of its members; depth: what each needs [n] of
    the `limit` of a stack; meeting: what two cost that are in one stack [n, n], symmetric, 0 on the
    diagonal.
    """

    size: Ints
    depth: Ints
    meeting: Ints
    limit: int

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def fits(self) -> np.ndarray:
        """Whether two can be in one stack by their depth: bool [n, n]."""
        return np.asarray(self.depth[:, None] + self.depth[None, :] <= self.limit)


@dataclass(frozen=True, eq=False)
class StackProblem:
    """Candidates, when each computes, and what is asked.

    busy: int64 [candidates, bins], ps of each bin of `bin_ps` in which a candidate computes. limit:
    most crossbars behind a PG; budget: most PGs in all; layers_together: most layers that share a
    region, as all do that have a stack in common.

    Raises InputError for numbers that make no sense, and InfeasibleError for a candidate that is
    deeper than the limit.
    """

    candidates: tuple[Candidate, ...]
    busy: Ints
    bin_ps: int
    limit: int
    budget: int
    layers_together: int

    def __post_init__(self) -> None:
        for name, least in (("bin_ps", 1), ("limit", 1), ("budget", 0), ("layers_together", 1)):
            value = getattr(self, name)
            if value < least:
                raise InputError("stacks", f"{name}: {value}, expected at least {least}")
        if self.busy.ndim != 2 or len(self.busy) != len(self.candidates):
            raise InputError(
                "stacks",
                f"busy: shape {self.busy.shape}, expected a row of bins for each of "
                f"{len(self.candidates)} candidates",
            )
        if len({c.member for c in self.candidates}) < len(self.candidates):
            raise InputError("stacks", "candidates: one comes twice, expected each once")
        if self.busy.size and not 0 <= self.busy.min() <= self.busy.max() <= self.bin_ps:
            raise InputError("stacks", f"busy: expected 0 to {self.bin_ps} ps in every bin")
        for of in self.candidates:
            if of.pgs < 1 or of.depth < 1:
                problem = f"{of.pgs} PGs of depth {of.depth}, expected at least 1 of each"
                raise InputError(f"stacks: {words(of.member)}", problem)
            if of.depth > self.limit:
                raise too_deep(f"{words(of.member)} alone", of.depth, self.limit)

    @cached_property
    def pgs(self) -> Ints:
        """PGs of each candidate: [candidates]."""
        return np.array([of.pgs for of in self.candidates], dtype=np.int64)

    @cached_property
    def depth(self) -> Ints:
        """Depth of each candidate: [candidates]."""
        return np.array([of.depth for of in self.candidates], dtype=np.int64)

    @cached_property
    def layer(self) -> Ints:
        """Layer of each candidate: [candidates]."""
        return np.array([of.member.layer for of in self.candidates], dtype=np.int64)

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """Layers that have candidates, ascending."""
        return tuple(np.unique(self.layer).tolist())

    @property
    def regions(self) -> int:
        """Fewest regions that all layers fit in."""
        return -(-len(self.layers) // self.layers_together)

    def pool(self, rows: Ints) -> Pool:
        """These candidates alone, with their meetings."""
        meeting = self.met(rows, rows)
        np.fill_diagonal(meeting, 0)
        return Pool(self.pgs[rows], self.depth[rows], meeting, self.limit)

    def met(self, rows: Ints, others: Ints) -> Ints:
        """Meetings of some candidates with others: [rows, others]."""
        if self.is_small:
            return self._every[np.ix_(rows, others)]
        return meetings(self.busy[rows], self.busy[others], self.bin_ps)

    @property
    def is_small(self) -> bool:
        """Whether a table of all candidates by all candidates is worth its memory."""
        return len(self.candidates) <= _MOST_ROWS

    @cached_property
    def _every(self) -> Ints:
        return meetings(self.busy, self.busy, self.bin_ps)


def meetings(busy: Ints, other: Ints, bin_ps: int) -> Ints:
    """Time in which both would compute, were each's work spread evenly over its bin, in ps.

    busy [a, bins], other [b, bins]: int64 [a, b] = floor(sum over bins of busy x other / bin_ps).
    Raises InputError where that sum is no 64-bit number.
    """
    most = max((_square(some) for some in (busy, other)), default=0.0)
    if most >= _MOST:
        raise InputError("stacks", f"bins of {bin_ps} ps: too long to multiply, use shorter ones")
    if most < _EXACT_FLOAT:  # many times faster, and as exact: every partial sum is below 2^53
        product = (busy.astype(np.float64) @ other.astype(np.float64).T).astype(np.int64)
    else:
        product = busy @ other.T
    found: Ints = product // bin_ps
    return found


def _square(busy: Ints) -> float:
    """Most that the sum of products of two such rows can be (Cauchy and Schwarz)."""
    return float((busy.astype(np.float64) ** 2).sum(axis=1).max(initial=0.0))


def words(member: Member) -> str:
    """A fire group in a message."""
    return f"layer {member.layer} stage {member.stage} group {member.group}"


def too_deep(what: str, depth: int, limit: int) -> InfeasibleError:
    """The report that something needs more crossbars behind a PG than there may be."""
    return InfeasibleError(
        "crossbars behind a peripheral group",
        Amount(depth, f"{depth} for {what}"),
        Amount(limit, f"a limit of {limit}"),
        "crossbars",
        f"raise the limit to {depth}",
    )

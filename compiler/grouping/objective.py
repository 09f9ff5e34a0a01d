"""The grouping problem in exact integers: what may be decided, and what an answer costs.

Window w runs `load[w, g]` token-expert pairs in group g, one per slot, so it takes exactly
L_w = max_g load[w, g] slots; the objective is the sum of L_w over the windows it is fitted to. For
a robust grouping the windows come in parts of equal number, and the objective is the worst part's.

On request it is a time or an energy instead: `Costs` of a slot and of a broadcast. A token needs
one broadcast, and at most one more for every two of its experts that share a group: exact where
only two of them do (so for top-2, and for top-3 in pairs), an upper bound elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.grouping.company import tokens_of_both
from compiler.grouping.split import split_slots
from ir.arrays import Bools, Ints
from ir.certificate import Status
from ir.errors import Amount, InfeasibleError, InputError
from ir.sums import sum_by_group

Windows = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Costs:
    """What is minimised: its name, and what a slot and a broadcast cost in whole units of it."""

    name: str = "sum of window slots"
    slot: int = 1
    broadcast: int = 0


SLOTS = Costs()


@dataclass(frozen=True, eq=False)
class GroupingProblem:
    """One layer: put every expert in one of `groups` groups, at most `size` experts in each.

    loads: [windows, experts] pairs of each window; total: [experts] pairs over the tokens that any
    window covers (each token once, even if windows overlap); together: [experts, experts] tokens
    among them that use both experts. replicas: copies of experts that may
    be added, never two of one expert in a group. parts: the windows are so many blocks of equal
    number, of which the worst counts. costs: of slots and broadcasts; meets: [experts, experts]
    tokens that use both, once for each window they are in; visits: tokens with an expert, likewise.
    counted: the loads are counts of steps, of whose tokens nothing is known (`counted`).
    """

    loads: Ints
    total: Ints
    together: Ints
    groups: int
    size: int
    replicas: int = 0
    parts: int = 1
    costs: Costs = SLOTS
    meets: Ints | None = None
    visits: int = 0
    counted: bool = False

    @property
    def pair_costs(self) -> Ints:
        """Cost of two experts in one group: [experts, experts], 0 on the diagonal."""
        if self.meets is None:
            return np.zeros((self.experts, self.experts), dtype=np.int64)
        return self.costs.broadcast * self.meets

    @property
    def fixed(self) -> int:
        """Cost of every grouping: one broadcast of each token in each window."""
        return self.costs.broadcast * self.visits

    @property
    def experts(self) -> int:
        """Number of experts."""
        return len(self.total)

    @property
    def windows(self) -> int:
        """Number of windows fitted to."""
        return len(self.loads)

    def objective(self, slots: Ints) -> Ints:
        """Cost of slots [..., windows]: the sum over the windows of the worst part [...]."""
        by_part = slots.reshape(*slots.shape[:-1], self.parts, -1)
        worst: Ints = by_part.sum(axis=-1).max(axis=-1)
        return worst


@dataclass(frozen=True, eq=False)
class Found:
    """A solver's answer: the group of each expert [experts], and what the solver proved itself.

    `bound` is a lower bound on the objective, None where the solver gives none. `replicas` lists
    the further copies as (expert, group). `progress` lists (seconds, objective) of each better
    answer on the way, `interrupted` says that Ctrl-C ended the search.
    """

    assignment: Ints
    status: Status = "heuristic"
    bound: int | None = None
    deterministic: bool = True
    replicas: tuple[tuple[int, int], ...] = ()
    progress: tuple[tuple[float, int], ...] = ()
    interrupted: bool = False


def grouping_problem(
    chosen: Bools,
    windows: Windows,
    mux: int,
    groups: int | None = None,
    *,
    replicas: int = 0,
    parts: int = 1,
    costs: Costs = SLOTS,
) -> GroupingProblem:
    """Count the pairs of every window; raise for a request without an answer.

    chosen: [tokens, experts]. `groups` defaults to the fewest that hold the experts and replicas.
    Raises InputError for a request that means nothing, InfeasibleError where the experts do not
    fit, with the smallest change that makes them fit.
    """
    tokens, experts = chosen.shape
    if experts < 1:
        raise InputError("grouping", "a layer of 0 experts, expected at least 1")
    wanted = check_room(experts, mux, groups, replicas)
    if not windows:
        raise InputError(
            "grouping",
            f"no window to fit to in {tokens} tokens, expected at least one",
            "use a smaller window or a longer trace",
        )
    for start, stop in windows:
        if not 0 <= start < stop <= tokens:
            raise InputError(
                "grouping", f"window {start} to {stop}, expected a part of 0 to {tokens}"
            )
    if parts < 1 or len(windows) % parts:
        raise InputError("grouping", f"{len(windows)} windows in {parts} parts of unequal number")
    if costs.broadcast and (replicas or parts > 1):
        raise InputError(
            "grouping",
            f"objective {costs.name!r} with {'replicas' if replicas else 'a worst part'}: "
            "broadcasts are counted for one copy of each expert and one sum over windows",
            "use the objective slots",
        )
    times = _times_covered(tokens, windows)
    covered = times > 0
    together = tokens_of_both(chosen, covered.astype(np.int64))
    loads, total = window_loads(chosen, windows), together.diagonal().copy()
    meets, visits = None, 0
    if costs.broadcast:
        meets = tokens_of_both(chosen, times)
        np.fill_diagonal(meets, 0)
        visits = int(times[chosen.any(axis=1)].sum())
    return GroupingProblem(
        loads, total, together, wanted, mux, replicas, parts, costs, meets, visits
    )


def check_room(experts: int, size: int, groups: int | None, replicas: int) -> int:
    """Return the number of groups, which hold every expert and replica; raises for too few."""
    if size < 1:
        raise InputError("grouping", f"mux {size}, expected at least 1")
    if replicas < 0:
        raise InputError("grouping", f"{replicas} replicas, expected at least 0")
    copies = experts + replicas
    fewest = -(-copies // size)
    wanted = fewest if groups is None else groups
    if not 1 <= wanted <= copies:
        raise InputError(
            "grouping",
            f"{wanted} groups for {experts} experts"
            + (f" and {replicas} replicas" if replicas else "")
            + f", expected 1 to {copies} groups",
        )
    if wanted < fewest:
        spare = wanted * size - experts
        without = f", or at most {spare} replicas" if replicas and spare >= 0 else ""
        more = f" + {replicas} replicas" if replicas else ""
        raise InfeasibleError(
            "expert crossbar columns",
            Amount(copies, f"{copies} ({experts} experts{more})"),
            Amount(wanted * size, f"{wanted * size} ({wanted} groups of {size})"),
            "columns",
            f"use {fewest} groups, or groups of {-(-copies // wanted)} (mux){without}",
        )
    places = experts * (wanted - 1)
    if replicas > places:
        raise InfeasibleError(
            "groups for replicas",
            Amount(replicas, f"{replicas} places apart from their expert's other copies"),
            Amount(places, f"{places} ({experts} experts x {wanted - 1} other groups)"),
            "places",
            f"use at most {places} replicas, or {1 + -(-replicas // experts)} groups",
        )
    return wanted


def window_loads(chosen: Bools, windows: Windows) -> Ints:
    """Pairs of each expert in each window: [windows, experts]."""
    until = np.zeros((len(chosen) + 1, chosen.shape[1]), dtype=np.int32)
    np.cumsum(chosen, axis=0, out=until[1:])
    bounds = np.asarray(windows, dtype=np.int64).reshape(-1, 2)
    return (until[bounds[:, 1]] - until[bounds[:, 0]]).astype(np.int64)


def _times_covered(tokens: int, windows: Windows) -> Ints:
    """Windows that each token is in: [tokens]."""
    change = np.zeros(tokens + 1, dtype=np.int64)
    for start, stop in windows:
        change[start] += 1
        change[stop] -= 1
    times: Ints = np.cumsum(change)[:-1]
    return times


def group_loads(problem: GroupingProblem, assignment: Ints) -> Ints:
    """Pairs of each group in each window: [windows, groups]."""
    return sum_by_group(problem.loads, assignment, problem.groups)


def cost(
    problem: GroupingProblem, assignment: Ints, replicas: Sequence[tuple[int, int]] = ()
) -> int:
    """Objective of an answer in the units of its costs; by default its `slots`."""
    value = problem.costs.slot * slots(problem, assignment, replicas)
    if not problem.costs.broadcast:
        return value
    together = assignment[:, None] == assignment
    return value + problem.fixed + int(problem.pair_costs[together].sum()) // 2


def slots(
    problem: GroupingProblem, assignment: Ints, replicas: Sequence[tuple[int, int]] = ()
) -> int:
    """Windows' slots L_w summed, over the worst part if there are parts.

    assignment: group of each expert [experts]; replicas: further copies (expert, group), between
    which each window's tokens are split as well as they can be.
    """
    if not replicas:
        return int(problem.objective(group_loads(problem, assignment).max(axis=1)))
    held = [{int(g)} for g in assignment]
    for e, g in replicas:
        held[e].add(g)
    copies = [tuple(sorted(of)) for of in held]
    return int(problem.objective(split_slots(problem.loads, copies, problem.groups)))

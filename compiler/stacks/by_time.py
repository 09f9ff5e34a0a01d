"""Stacks by when a program without any computes what: of what meets least on its timeline."""

from collections.abc import Iterable, Iterator, Sequence

from compiler.emit import emit
from compiler.fire_groups import fire_groups, numbered
from compiler.options import Options, StackOptions, StackSolver
from compiler.placement.spots import crossbars_behind
from compiler.stacks import busy_table, choose_stacks
from compiler.stacks.problem import Candidate
from compiler.timeline.assemble import searched_ps
from ir import timing
from ir.compiled import Compiled
from ir.mapping import Mapping
from ir.stacks import Member, Stacking

BIN_MVMS = 4  # of a bin of time: what comes so near may as well come at once


def stacks_by_time(alone: Compiled, asked: StackOptions, options: Options) -> Iterator[Stacking]:
    """Stacks for the model of a program that has none, on its chip; of "auto" those to try.

    Without a budget of peripheral groups it is what the layers of a region need by rank of size
    (solver "apart"). Raises InfeasibleError where `pg.stack_limit` of the chip is too little.
    """
    found, chip = candidates(alone.mapping), alone.chip
    bin_ps = BIN_MVMS * timing.mvm_ps(chip, shared=True)
    busy = busy_table(alone.program, [one.member for one in found], bin_ps)

    def chosen(solver: StackSolver, budget: int) -> Stacking:
        return choose_stacks(
            found,
            busy,
            bin_ps,
            limit=chip.pg.most,
            budget=budget,
            layers_together=asked.layers,
            solver=solver,
            limits=options.limits,
        )

    apart = chosen("apart", sum(one.pgs for one in found))
    least = pgs_with(found, apart)
    budget = asked.pgs or least
    if asked.solver == "auto":
        yield chosen("cp-sat", budget)
        if least <= budget:
            yield apart
    else:
        yield chosen(asked.solver, budget)


def shortest(alone: Compiled, mappings: Iterable[Mapping]) -> Mapping:
    """Of several mappings that with the shortest program: who meets least need not wait least.

    alone: a program of the same groups, whose slot orders they take. Each is timed by the fewest
    list schedules, however large it is: where layers meet, what one rule takes says little of what
    latest starts make of it.
    """
    tried = list(mappings)
    if len(tried) == 1:
        return tried[0]

    def time_ps(mapping: Mapping) -> int:
        draft = emit(alone.workload, mapping, alone.schedule, alone.chip, alone.passed)
        return searched_ps(*draft, alone.chip)

    return min(tried, key=time_ps)


def pgs_with(found: Sequence[Candidate], stacking: Stacking) -> int:
    """Peripheral groups of fire groups, of which some are in stacks."""
    pgs = {one.member: one.pgs for one in found}
    stacked = [[pgs.pop(member) for member in stack] for stack in stacking.stacks]
    return sum(map(max, stacked)) + sum(pgs.values())


def candidates(mapping: Mapping) -> tuple[Candidate, ...]:
    """The fire groups of a mapping without stacks, and what each needs."""
    blocks, depth = mapping.blocks, dict[Member, int]()
    for index, member in enumerate(numbered(blocks, mapping.grouping)):
        behind = crossbars_behind(blocks[index], mapping.placement.spots[index])
        depth[member] = max(depth.get(member, 0), behind)
    fires = fire_groups(blocks, mapping.grouping)
    members = [(Member(f.layer, f.stage, f.number), f.pgs) for f in fires]
    return tuple(Candidate(member, pgs, depth[member]) for member, pgs in members)

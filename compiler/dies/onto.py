"""A mapping to be on the dies of a chip: how many there are, and what is on which."""

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.dies import assign, dies_needed
from compiler.dies.areas import areas_of
from compiler.dies.pieces import Pieces, in_model_order
from compiler.dies.problem import Problem
from compiler.fire_groups import FireGroup, fire_groups
from compiler.options import DieOptions, DieRule, PlacementOptions, Shape, SolverOptions
from compiler.placement.sites import Sites, on_dies
from ir.arrays import Bools
from ir.chip import Chip, Dies, Link
from ir.errors import Amount, InfeasibleError, InputError
from ir.mapping import Block, Grouping
from ir.placement import Crossing
from ir.stacks import NO_STACKS, Member
from ir.topology import Topology, topology_of
from ir.workload import Workload

BASELINES: tuple[DieRule, ...] = ("in-order", "cut")


@dataclass(frozen=True)
class Asked:
    """What an assignment is asked for."""

    options: PlacementOptions
    limits: SolverOptions
    shape: Shape


def onto_dies(
    workload: Workload,
    blocks: tuple[Block, ...],
    grouping: Grouping,
    chosen: Mapping[int, Bools],
    tokens: int,
    chip: Chip,
    asked: Asked,
) -> tuple[Sites | None, Crossing | None]:
    """The regions of every die of the chip, and how they were chosen; None, None of one die.

    chosen: {MoE layer: bool [tokens, experts]}, of the fitted tokens. Raises InfeasibleError where
    the dies are too few or too small, and InputError for stacks, which are not placed on several.
    """
    if chip.dies is None or chip.link is None:
        return None, None
    if asked.options.stacks != NO_STACKS:
        raise InputError(
            f"chip {chip.name}",
            "several dies, and stacks across groups",
            "leave out --stacks, or [die]",
        )
    fires = in_model_order(fire_groups(blocks, grouping))
    shape = asked.shape
    held = shape.batch * (shape.prefill + shape.decode)
    areas = areas_of(
        workload, grouping, fires, chip, shape.prefill, held, asked.options.dense_copies
    )
    pieces = Pieces(workload, chip, grouping, fires, chosen, tokens)
    problem = pieces.problem(areas, chip.dies.area_um2)
    problem, topology = fitted(problem, fires, chip, chip.dies, chip.link)
    found = assign(problem, topology, asked.options.dies, asked.limits)
    crossing = Crossing(
        found.solver,
        found.certificate,
        tuple((name, _by(name, problem, topology, asked.limits)) for name in BASELINES),
        dies_needed(problem)[0],
    )
    die = dict(zip(pieces.members, found.die.tolist(), strict=True))
    home = {layer: int(found.die[item]) for layer, item in pieces.anchors.items()}
    return on_dies(die, home, topology), crossing


def _by(name: DieRule, problem: Problem, topology: Topology, limits: SolverOptions) -> int | None:
    """Byte-links of a baseline; None where its way does not fit."""
    try:
        return assign(problem, topology, DieOptions(name), limits).byte_links
    except InfeasibleError:
        return None


def fitted(
    problem: Problem, fires: tuple[FireGroup, ...], chip: Chip, dies: Dies, link: Link
) -> tuple[Problem, Topology]:
    """The problem with the room that links leave, and how so many dies are joined.

    As many dies as the chip says, or as a packing takes. Each has the interfaces of as many links
    as the one with the most. Raises InfeasibleError, in the words of the chip file, for dies that
    are too small or too few.
    """
    count, seen = dies.count or 1, 0
    while count != seen:
        topology = topology_of(dies, count)
        degree = max(map(len, topology.neighbours))
        room = dies.area_um2 - degree * link.end_um2
        problem = Problem(problem.items, problem.overhead_um2, room, problem.flows, problem.casts)
        _check_items(problem, fires, chip, dies)
        least, reached = dies_needed(problem)
        if dies.count:
            break
        seen, count = count, max(count, reached)
    if least > count:
        raise _too_few(problem, least, reached, chip, dies)
    return problem, topology


def _check_items(problem: Problem, fires: tuple[FireGroup, ...], chip: Chip, dies: Dies) -> None:
    """Raise InfeasibleError where a fire group is too large for a die."""
    alone = problem.area + problem.overhead[problem.layer]
    worst = int(alone.argmax())
    if alone[worst] <= problem.capacity_um2:
        return
    need, fire = int(alone[worst]) + dies.area_um2 - problem.capacity_um2, fires[worst]
    raise InfeasibleError(
        f"die for {Member(fire.layer, fire.stage, fire.number)}",
        Amount(need, f"{_mm2(need)} with its layer's bus and units, and the links"),
        Amount(dies.area_um2, f"{_mm2(dies.area_um2)} on chip {chip.name}"),
        "um2",
        f"set die.area_mm2 to {-(-need // 1000) / 1000:.3f}"
        + ("" if fire.is_bank else ", or lower pg.mux"),
    )


def _too_few(problem: Problem, least: int, reached: int, chip: Chip, dies: Dies) -> InfeasibleError:
    """The report that no assignment fits so few dies."""
    whole = int(problem.area.sum() + problem.overhead.sum())
    area = -(-whole // dies.count) + dies.area_um2 - problem.capacity_um2
    words = f"{reached}" if least == reached else f"{reached} as packed, at least {least}"
    return InfeasibleError(
        "dies",
        Amount(reached, f"{words} of {_mm2(dies.area_um2)}"),
        Amount(dies.count, f"die.count {dies.count} on chip {chip.name}"),
        "dies",
        f"set die.count to {reached} or auto, or die.area_mm2 to more than {area / 1e6:.4g}",
    )


def _mm2(um2: int) -> str:
    return f"{um2 / 1e6:.4g} mm2"

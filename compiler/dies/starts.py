"""Where searches start: assignments along several snakes, of which those that fit are kept."""

from collections.abc import Iterator

import numpy as np

from compiler.dies.in_order import in_order
from compiler.dies.packing import packed
from compiler.dies.problem import Problem
from compiler.dies.snake import snake
from ir.arrays import Ints
from ir.topology import Topology


def starts(problem: Problem, topology: Topology) -> Iterator[Ints]:
    """Assignments that fit, the baseline in order first where it does."""
    content = packed(problem, topology.count)
    for height in heights(topology):
        along = snake(topology, height)
        for die in (in_order(problem, along), _laid(content, along)):
            if die.max(initial=-1) < topology.count:
                yield die


def heights(topology: Topology) -> range:
    """Heights of a mesh's bands worth trying."""
    return range(1, 1 + max(1, min(topology.columns, 10)))


def _laid(content: Ints, along: Ints) -> Ints:
    """Packed dies along a snake."""
    further = np.arange(len(along), max(len(along), int(content.max(initial=-1)) + 1))
    found: Ints = np.concatenate([along, further])[content]
    return found

"""Stacks: which parts of a model share peripheral groups, within a layer and across layers.

A *fire group* is what computes together: a stage of an expert group, or a copy of a dense matrix or
of a stage of a shared expert. Fire groups of a stack stand behind the same peripheral groups, each
on crossbars of its own, and compute one at a time. The partial sums of a fire group go from
neighbour to neighbour and its vectors over its layer's bus, so all of a stack is in one region:
layers with a common stack share the rectangle of cores, and keep their buses, return links, digital
units and buffers.
"""

from dataclasses import dataclass

from ir.certificate import Certificate
from ir.errors import InputError


@dataclass(frozen=True, order=True)
class Member:
    """A fire group by its numbers, as units of a program have them.

    stage: 0 for dense matrices and the first products of experts, 1 for their second one. group:
    expert groups of a layer come first, then its dense matrices in order of the model.
    """

    layer: int
    stage: int
    group: int

    def __str__(self) -> str:
        return f"layer {self.layer} stage {self.stage} group {self.group}"


@dataclass(frozen=True)
class Stacking:
    """The stacks of a mapping; what is in none has peripheral groups of its own.

    Raises InputError for a fire group that is in two stacks.
    """

    stacks: tuple[tuple[Member, ...], ...] = ()
    solver: str = "none"
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        seen: set[Member] = set()
        for number, stack in enumerate(self.stacks):
            for member in stack:
                if member in seen:
                    raise InputError(
                        f"stack {number}",
                        f"holds {member}, which another place of the stacks has too, "
                        "expected each once",
                    )
                seen.add(member)

    def hosts(self, layers: tuple[int, ...]) -> dict[int, int]:
        """{layer: the first of those that it shares a region with}, itself where it has its own.

        layers: all that have crossbars, ascending. Raises InputError for a stack of others.
        """
        host = {layer: layer for layer in layers}

        def first(layer: int) -> int:
            while host[layer] != layer:
                layer = host[layer]
            return layer

        for number, stack in enumerate(self.stacks):
            for member in stack:
                if member.layer not in host:
                    problem = f"holds {member}, expected a fire group of the model"
                    raise InputError(f"stack {number}", problem)
            together = sorted({first(member.layer) for member in stack})
            for layer in together[1:]:
                host[layer] = together[0]
        return {layer: first(layer) for layer in layers}


NO_STACKS = Stacking()

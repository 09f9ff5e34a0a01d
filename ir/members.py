"""The fire group that each block of a mapping is of, as stacks and units number them."""

from ir.mapping import Mapping, RoutedOwner
from ir.stacks import Member


def members(mapping: Mapping) -> list[Member]:
    """The fire group that each block is of: [blocks].

    Of a layer the groups of experts come first, then its other matrices as their blocks come, the
    two that a gated shared expert's vector goes through at once as one.
    """
    copies = {g.layer: g.copies() for g in mapping.grouping.layers}
    groups = {g.layer: len(g.groups) for g in mapping.grouping.layers}
    others: dict[int, list[tuple[object, ...]]] = {}
    out: list[Member] = []
    for block in mapping.blocks:
        if isinstance(block.owner, RoutedOwner):
            group = copies[block.layer][block.owner.expert][block.owner.replica]
        else:
            here = others.setdefault(block.layer, [])
            what = block.operator, block.owner, block.stage
            if what not in here:
                here.append(what)
            group = groups.get(block.layer, 0) + here.index(what)
        out.append(Member(block.layer, block.stage, group))
    return out

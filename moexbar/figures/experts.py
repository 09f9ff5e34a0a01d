"""The experts of an MoE layer in the order of their groups, and how often tokens use them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints
from ir.routing import Routing
from moexbar.report.mapped import GroupedLayer, MappingFile

APART = -1  # in place of a group: on digital units, or nobody has grouped them


@dataclass(frozen=True, eq=False)
class Grouped:
    """One layer of a trace.

    chosen: [tokens, experts] which goes where. expert: [places] by group, the busiest group first,
    in it the busiest expert first; one with copies has a place for each. group: [places] number of
    the group, APART for experts in none, which come last. tokens: [places] of the expert, or its
    copy's part.
    """

    layer: int
    chosen: Bools
    expert: Ints
    group: Ints
    tokens: Ints

    @property
    def mean(self) -> float:
        """Tokens of an expert in the mean."""
        return float(self.chosen.sum() / max(self.chosen.shape[1], 1))

    def spans(self) -> list[tuple[int, int, int]]:
        """(group, first place, end) of each group, and of the experts in none."""
        edges = np.flatnonzero(np.diff(self.group, prepend=APART - 1)).tolist()
        ends = [*edges[1:], len(self.group)]
        return [(int(self.group[a]), a, b) for a, b in zip(edges, ends, strict=True)]


def grouped_layers(routing: Routing, mapping: MappingFile | None) -> Iterator[Grouped]:
    """Every layer of a trace; without a mapping no expert is in a group."""
    known = {row.layer: row for row in mapping.groups} if mapping else {}
    for row, layer in enumerate(routing.layer.tolist()):
        chosen = routing.matrix(row)
        yield _layer(layer, chosen, known.get(layer))


def _layer(layer: int, chosen: Bools, found: GroupedLayer | None) -> Grouped:
    experts = chosen.shape[1]
    load = chosen.sum(axis=0)
    groups = [[e for e in group if e < experts] for group in (found.groups if found else ())]
    copies = np.bincount([e for group in groups for e in group], minlength=experts)
    part = load / np.maximum(copies, 1)
    busiest = sorted(range(len(groups)), key=lambda g: -part[groups[g]].sum())
    alone = np.flatnonzero(copies == 0).tolist()
    order = [(g, groups[g]) for g in busiest] + ([(APART, alone)] if alone else [])
    inside = [(g, sorted(members, key=lambda e: -part[e])) for g, members in order]
    if found is None:
        inside = [(APART, alone)]  # in their own order: nothing else is known of them
    expert = np.array([e for _, members in inside for e in members], dtype=np.int64)
    group = np.array([g for g, members in inside for _ in members], dtype=np.int64)
    return Grouped(layer, chosen, expert, group, part[expert])

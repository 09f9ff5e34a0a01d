"""Routed experts that stay off the crossbars: digital units multiply their matrices."""

from collections.abc import Sequence
from dataclasses import replace

from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.workload import MoELayer, Workload

WHERE = "digital experts"


def digital_by_layer(
    workload: Workload, asked: Sequence[tuple[int, int]]
) -> dict[int, tuple[int, ...]]:
    """{MoE layer: its digital experts, ascending} of (layer, expert) pairs; () of most layers.

    Raises InputError for an expert that is not there, a layer of which none would be left on
    crossbars, and layers whose experts do more than give a weighted result of their own: they are
    of a single matrix, have their input weighted, or serve several layers.
    """
    out = {op.layer: _of_layer(workload, op, asked) for op in workload.moe_layers}
    unknown = sorted({layer for layer, _ in asked} - set(out))
    if unknown:
        raise InputError(WHERE, f"layer {unknown[0]}, expected one of the MoE layers {list(out)}")
    return out


def _of_layer(
    workload: Workload, op: MoELayer, asked: Sequence[tuple[int, int]]
) -> tuple[int, ...]:
    mine = tuple(sorted({expert for layer, expert in asked if layer == op.layer}))
    if not mine:
        return ()
    if not 0 <= mine[0] <= mine[-1] < op.router.experts:
        odd = mine[0] if mine[0] < 0 else mine[-1]
        raise InputError(
            WHERE, f"layer {op.layer}: expert {odd}, expected 0 to {op.router.experts - 1}"
        )
    if len(mine) == op.router.experts:
        raise InputError(
            WHERE, f"layer {op.layer}: all {len(mine)}, expected at least one on crossbars"
        )
    homes = workload.expert_homes
    alone = list(homes.values()).count(homes[op.layer]) == 1
    if op.single or op.weight_on == "input" or not alone:
        raise InputError(
            WHERE,
            f"layer {op.layer}: experts of a single matrix, with a weighted input or of several "
            "layers, expected those of up, activation and down of one layer",
            "leave the layer's experts on crossbars",
        )
    return mine


def among_all(found: LayerGrouping, digital: tuple[int, ...]) -> LayerGrouping:
    """Groups of the experts that are not digital, numbered among themselves, as those of all."""
    if not digital:
        return found
    kept = others(found.experts + len(digital), digital)
    groups = tuple(tuple(kept[e] for e in group) for group in found.groups)
    return replace(found, groups=groups, digital=digital)


def others(experts: int, digital: tuple[int, ...]) -> list[int]:
    """Those of a layer's experts that are not digital, ascending."""
    return [e for e in range(experts) if e not in digital]

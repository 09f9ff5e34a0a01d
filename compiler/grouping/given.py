"""Groups decided elsewhere, and sizes, held against the model and chip they are to be used for."""

from compiler.options import GroupingOptions
from ir.chip import Chip
from ir.errors import Amount, InfeasibleError, InputError
from ir.mapping import Grouping
from ir.workload import Workload


def check_given(grouping: Grouping, workload: Workload, chip: Chip) -> Grouping:
    """The groups of all layers that hold experts, in order, as given.

    Layers that work on these experts need none; where they have some, they have the same. Raises
    InputError unless every MoE layer's experts are in groups, and no others, and InfeasibleError
    where a group has more experts than crossbars stand behind a peripheral group.
    """
    known = {layer.layer: layer for layer in grouping.layers}
    homes = workload.expert_homes
    layers = {
        op.layer: op.router.experts for op in workload.moe_layers if homes[op.layer] == op.layer
    }
    if not set(layers) <= set(known) <= set(homes):
        raise InputError(
            "grouping",
            f"groups of layers {_listed(set(known))}, expected those of {_listed(set(layers))}",
            f"group a routing trace of this model ({workload.name})",
        )
    for number, experts in layers.items():
        held = {e for group in known[number].groups for e in group}
        if held != set(range(experts)):
            raise InputError(
                "grouping",
                f"layer {number}: experts {_listed(held ^ set(range(experts)))} missing or too "
                f"many, expected each of 0 to {experts - 1} in some group",
            )
        size = max(len(group) for group in known[number].groups)
        if size > chip.pg.mux:
            raise InfeasibleError(
                "crossbars behind a peripheral group",
                Amount(size, f"groups of {size} (layer {number})"),
                Amount(chip.pg.mux, f"mux {chip.pg.mux} on chip {chip.name}"),
                "crossbars",
                f"use groups of {chip.pg.mux}, or --set pg.mux={size}",
            )
    for number in sorted(set(known) - set(layers)):
        if known[number].groups != known[homes[number]].groups:
            raise InputError(
                "grouping",
                f"layer {number}: other groups than layer {homes[number]}, on whose experts it "
                "works",
                f"give it the groups of layer {homes[number]}, as the experts are placed once",
            )
    return Grouping(tuple(known[number] for number in layers))


def check_sizes(asked: GroupingOptions, workload: Workload, chip: Chip) -> None:
    """Groups must fit behind a peripheral group, and those of one layer be of one that has some."""
    homes = workload.expert_homes
    holding = [layer for layer in homes if homes[layer] == layer]
    for layer, size in ((None, asked.size or 1), *asked.sizes):
        if layer is not None and layer not in holding:
            raise InputError(
                "group size", f"layer {layer}, expected one that holds experts {holding}"
            )
        if size > chip.pg.most:
            of_layer = "" if layer is None else f" in layer {layer}"
            raise InfeasibleError(
                "crossbars behind a peripheral group",
                Amount(size, f"groups of {size}{of_layer}"),
                Amount(chip.pg.most, f"mux {chip.pg.most} on chip {chip.name}"),
                "crossbars",
                f"use groups of {chip.pg.most}, or --set pg.mux={size}",
            )


def _listed(numbers: set[int]) -> str:
    return ", ".join(str(n) for n in sorted(numbers)) or "none"

"""Matrices that are larger than a die is good for, cut by columns into several.

A product with the whole matrix is the products with its parts, side by side. Each part is a dense
product of its own, with the matrix's rows and some of its columns; a `join`, which takes no time,
says that their results are one vector.
"""

from dataclasses import replace
from itertools import pairwise

from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.workload import AnyOperator, Dense, Digital, Workload

SHARE = 3  # a part takes at most one in so many of a die: larger ones waste room when packed


def in_parts(workload: Workload, chip: Chip) -> Workload:
    """The model with large dense matrices in parts, for a chip of several dies; else the same."""
    if chip.dies is None:
        return workload
    operators: list[AnyOperator] = []
    for op in workload.operators:
        match op:
            case Dense():
                operators += _cut(op, chip, chip.dies.area_um2 // SHARE)
            case _:
                operators.append(op)
    return replace(workload, operators=tuple(operators))


def _cut(op: Dense, chip: Chip, most_um2: int) -> list[AnyOperator]:
    """A dense product as parts of about equal width and the join of them, or as it is."""
    across = chip.crossbar.weights_per_row(op.weight)
    high, wide = -(-op.weight.rows // chip.crossbar.rows), -(-op.weight.columns // across)
    column = high * ((peripheral_um2(chip) or 0) + (chip.crossbar.array_um2 or 0))
    parts = -(-wide // max(most_um2 // max(column, 1), 1))
    if parts < 2:
        return [op]
    edges = [min(wide * n // parts * across, op.weight.columns) for n in range(parts + 1)]
    edges[-1] = op.weight.columns
    cut: list[Dense] = []
    for n, (first, last) in enumerate(pairwise(edges)):
        start = op.weight.start + op.weight.step * first
        weight = replace(op.weight, start=start, columns=last - first)
        name, value = f"{op.name} [{n}]", f"{op.outputs[0]} [{n}]"
        cut.append(replace(op, name=name, outputs=(value,), width=last - first, weight=weight))
    names = tuple(part.outputs[0] for part in cut)
    join = Digital(
        op.name,
        op.layer,
        names,
        op.outputs,
        (),
        op.width,
        kind="join",
        scope="token",
        elements=0,
        newest=op.newest,
        side=op.side,
    )
    return [*cut, join]


def joined_values(workload: Workload) -> dict[str, str]:
    """What each part of a matrix gives a part of: {its value: the joined one}."""
    joins = (op for op in workload.digital() if op.kind == "join")
    return {name: op.outputs[0] for op in joins for name in op.inputs}


def whole(workload: Workload) -> Workload:
    """The model as it was before `in_parts`."""
    joins = [op for op in workload.digital() if op.kind == "join"]
    part_of = {name: op for op in joins for name in op.inputs}
    operators: list[AnyOperator] = []
    for op in workload.operators:
        join = part_of.get(op.outputs[0])
        match op:
            case Digital(kind="join"):
                continue
            case Dense() if join is not None:
                if op.outputs[0] == join.inputs[0]:
                    weight = replace(op.weight, columns=join.width)
                    operators.append(
                        replace(
                            op,
                            name=join.name,
                            outputs=join.outputs,
                            width=join.width,
                            weight=weight,
                        )
                    )
            case _:
                operators.append(op)
    return replace(workload, operators=tuple(operators))

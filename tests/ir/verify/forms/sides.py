"""Models of an encoder and a decoder, whose sequences are not of one length."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ir.compiled import Compiled
from ir.sides import Side
from ir.workload import AnyOperator, Attention, Workload
from tests.ir.verify.forms.parts import IN_TILES
from tests.make import compile_small, small_chip, small_workload


def of_two_sides(source: int, target: int) -> Workload:
    """The first layer is an encoder's, what follows a decoder's, which looks at its keys."""
    first = [op.layer for op in small_workload().operators].index(1)

    def side(number: int, op: AnyOperator) -> AnyOperator:
        if (number < first and op.layer == 0) or op.name == "embed":
            op = replace(op, side=0)
        else:
            op = replace(op, side=1)
        if not isinstance(op, Attention):
            return op
        return replace(op, key_side=0, causal=op.side == 0)

    workload = small_workload()
    operators = [side(n, op) for n, op in enumerate(workload.operators)]
    names = [op.name for op in operators]
    for name in ("k1", "v1"):
        at = names.index(name)
        operators[at] = replace(operators[at], side=0, inputs=("add_b0",))
    again = replace(operators[0], name="embed1", outputs=("embed1",), inputs=("more",), side=1)
    at = names.index("norm_a1")
    operators[at] = replace(operators[at], inputs=("embed1",))
    for name in ("add_a1",):
        at = names.index(name)
        inputs = tuple("embed1" if v == "add_b0" else v for v in operators[at].inputs)
        operators[at] = replace(operators[at], inputs=inputs)
    operators.insert(1, again)
    sides = (Side(("ids",), source), Side(("more",), target))
    return replace(workload, inputs=("ids", "more"), operators=tuple(operators), sides=sides)


def chosen_on(sides: tuple[Side, ...], layers: tuple[int, ...]) -> dict[int, Any]:
    """Two experts for every token of the layer's side, of sequences as long as the longer side."""
    most = max(side.tokens for side in sides)
    place = np.tile(np.arange(most), 2)
    pairs = np.array([[True, False, True, False], [False, True, True, False]])
    return {
        layer: pairs[place % 2] & (place < side.tokens)[:, None]
        for layer, side in zip(layers, sides, strict=True)
    }


def on_sides(
    source: int,
    target: int,
    change: Callable[[Workload], Workload] = lambda workload: workload,
    digital: dict[str, Any] = IN_TILES,
) -> Compiled:
    """Two sequences of as many source and target tokens; the encoder looks at no later ones."""
    workload = change(of_two_sides(source, target))
    sequence, chosen = np.repeat([0, 1], max(source, target)), chosen_on(workload.sides, (0, 1))
    return compile_small(workload, small_chip(digital=digital), sequence=sequence, chosen=chosen)

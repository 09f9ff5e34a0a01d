"""Inputs of models with sides, an encoder and a decoder: whose tokens each array has."""

from collections.abc import Mapping, Sequence

from onnx_ir import Value

from compiler.frontend.facts.graph import Graph, name_of
from ir.arrays import Array
from ir.errors import InputError
from ir.lengths import in_words
from ir.sides import Side


def check_sides(graph: Graph, inputs: Mapping[str, Array]) -> None:
    """InputError where two inputs of token ids have different numbers of tokens a sequence.

    Cutting the longer one would be another computation. An input of one id a sequence (a language,
    a task) is no side.
    """
    lengths = {
        name_of(value): inputs[name_of(value)].shape[-1]
        for value in graph.token_inputs
        if value.dtype is not None and value.dtype.is_integer()
        if name_of(value) in inputs and value.shape is not None and len(value.shape) == 2
    }
    lengths = {name: length for name, length in lengths.items() if length > 1}
    if len(set(lengths.values())) < 2:
        return
    told = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
    every = in_words(tuple(lengths.values()))
    raise InputError(
        "inputs",
        f"tokens a sequence: {told}; one number is the length of both sides",
        f"give a length for each side: {every}",
    )


def side_of_inputs(
    graph: Graph, sides: Sequence[Side], inputs: Mapping[str, Array]
) -> dict[str, int]:
    """The side of each model input [sequences, tokens], by name.

    Ids are their side's own. A mask or positions are of the side whose axis has the same name or
    length; else of that whose array is as long; else of the decoder where both say so.
    """
    own = {name: number for number, side in enumerate(sides) for name in side.inputs}
    by_axis = {_axis(value): own[name_of(value)] for value in graph.inputs if name_of(value) in own}
    by_length = {inputs[name].shape[-1]: number for name, number in own.items() if name in inputs}
    for value in graph.inputs:
        name = name_of(value)
        if name in own or value.shape is None or len(value.shape) != 2:
            continue
        if _axis(value) in by_axis:
            own[name] = by_axis[_axis(value)]
        elif name in inputs:
            if inputs[name].shape[-1] in by_length:
                own[name] = by_length[inputs[name].shape[-1]]
        else:
            own[name] = _by_name(sides, name)
    return own


def _axis(value: Value) -> object:
    """Name or length of the axis of tokens; the value itself where it has neither."""
    last = value.shape[-1] if value.shape is not None and len(value.shape) else None
    named = last if isinstance(last, int) or last is None else last.value
    return value if named is None else named


def _by_name(sides: Sequence[Side], name: str) -> int:
    """The first side that is called a decoder just as the input is, or is not."""
    alike = [("decoder" in side.inputs[0]) == ("decoder" in name) for side in sides]
    return alike.index(True) if any(alike) else 0

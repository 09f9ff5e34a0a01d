"""Models with an encoder and a decoder: a program has one number of tokens a sequence for both."""

from collections.abc import Mapping

from compiler.frontend.facts.graph import Graph, name_of
from ir.arrays import Array
from ir.errors import InputError


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
    least = min(lengths.values())
    raise InputError(
        "inputs",
        f"tokens a sequence: {told}; a program has one number for both sides",
        f"give both sides as many, such as the first {least} of each",
    )

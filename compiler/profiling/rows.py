"""Inputs whose rows are tokens, without an axis for sequences: cut into sequences."""

from collections.abc import Mapping
from dataclasses import dataclass

from onnx_ir import Value

from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.inputs import token_axis_of_input
from ir.arrays import Array
from ir.errors import InputError


class ShortSequencesError(InputError):
    """An input's sequences have fewer tokens than are to run."""

    def __init__(self, name: str, tokens: int, asked: int) -> None:
        self.name, self.tokens, self.asked = name, tokens, asked
        super().__init__("inputs", f"{name!r}: sequences of {tokens} tokens, asked for {asked}")

    def __reduce__(self) -> tuple[type["ShortSequencesError"], tuple[str | int, ...]]:  # type: ignore[override]
        """Rebuild it in another process."""
        return type(self), (self.name, self.tokens, self.asked)


@dataclass(frozen=True, eq=False)
class Sequenced:
    """Inputs by name, [sequences, ..]; which of them were cut from rows; rows that are left out."""

    inputs: Mapping[str, Array]
    cut: frozenset[str] = frozenset()
    left_out: int = 0


def in_sequences(graph: Graph, inputs: Mapping[str, Array], each: int | None) -> Sequenced:
    """The inputs with an axis of sequences before that of rows, where they are rows.

    An array of the model's own rank whose tokens are on its first axis is rows: [rows, ..] becomes
    [sequences, each, ..], and so does every other input of the model's rank with as many rows; what
    fills no sequence is left out. each: rows of a sequence; None: those that the model was exported
    for, else all. Other arrays stay as they are. Raises InputError where there are fewer rows than
    one sequence has.
    """
    lead = graph.token_inputs[0]
    if lead.shape is None or not len(lead.shape) or token_axis_of_input(lead) != 0:
        return Sequenced(inputs)
    name, fixed = name_of(lead), lead.shape[0]
    if inputs[name].ndim != len(lead.shape):
        return Sequenced(inputs)
    rows = len(inputs[name])
    each = each or (fixed if isinstance(fixed, int) else max(rows, 1))
    if rows < each:
        raise ShortSequencesError(name, rows, each)
    count = rows // each
    cut = {
        name_of(value): inputs[name_of(value)]
        for value in graph.inputs
        if name_of(value) in inputs and _goes_along(value, inputs[name_of(value)], rows)
    }
    shaped = {n: a[: count * each].reshape(count, each, *a.shape[1:]) for n, a in cut.items()}
    return Sequenced({**inputs, **shaped}, frozenset(cut), rows - count * each)


def _goes_along(value: Value, array: Array, rows: int) -> bool:
    """Whether an array has as many rows, and the rank that the model wants."""
    own_rank = value.shape is not None and array.ndim == len(value.shape)
    return own_rank and array.ndim > 0 and len(array) == rows

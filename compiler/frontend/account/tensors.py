"""The stored tensors of a model, each with its uses and with what of it stands on crossbars."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import assert_never

from onnx_ir import Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from compiler.frontend.facts.uses import Use, stored_size
from ir.onnxdoor.computed import is_computed, origin
from ir.onnxdoor.stored import elements_per_item
from ir.onnxdoor.widen import as_stored
from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer, Weight


@dataclass(frozen=True, eq=False)
class Tensor:
    """A stored tensor, held by several values where a function that has it is called again.

    placed: the matrices in it that stand on crossbars, by operator.
    """

    values: tuple[Value, ...]
    elements: int
    placed: Mapping[str, tuple[Weight, ...]]
    uses: tuple[Use, ...]

    @property
    def name(self) -> str:
        """Its name in the graph."""
        return name_of(self.values[0])


def tensors_of(facts: Facts, operators: Sequence[AnyOperator]) -> Iterator[Tensor]:
    """Every tensor of the graphs, once."""
    placed: dict[str, dict[str, list[Weight]]] = defaultdict(lambda: defaultdict(list))
    for op in operators:
        for weight in weights_of(op):
            placed[_stored_in(facts, weight)][op.name].append(weight)
    held: dict[int, list[Value]] = {}
    own = {id(tensor) for tensor in facts.graph.source.tensors}
    for value in facts.uses.stored:
        if _identity(value) in own:  # not a shape that a rewriting needs
            held.setdefault(_identity(value), []).append(value)
    for values in held.values():
        on: dict[str, list[Weight]] = defaultdict(list)
        for value in values:
            for operator, weights in placed.get(name_of(value), {}).items():
                on[operator] += [_bare(w, value, values[0]) for w in weights]
        yield Tensor(
            values=tuple(values),
            elements=stored_size(values[0]) * max(elements_per_item(v) for v in values),
            placed={operator: tuple(weights) for operator, weights in on.items()},
            uses=tuple(use for value in values for use in facts.uses.of[value]),
        )


def _stored_in(facts: Facts, weight: Weight) -> str:
    """The stored tensor of a matrix: the largest one, where nodes make the matrix of several."""
    source = facts.graph.source
    if not is_computed(source, weight.tensor):
        return weight.tensor
    return name_of(origin(source.values[weight.tensor]))


def _bare(weight: Weight, value: Value, first: Value) -> Weight:
    """The same part of a tensor without its bias: equal ones are the same elements.

    value: that holds the tensor; first: of all that hold it, whose name the part gets.
    """
    name = name_of(first) if weight.tensor == name_of(value) else weight.tensor
    return replace(weight, tensor=name, bias=None, bias_index=None)


def gone(facts: Facts) -> int:
    """Elements of tensors that no graph holds any more, as nobody read them."""
    held = {_identity(value) for value in facts.uses.stored}
    return sum(int(t.size) for t in facts.graph.source.tensors if id(t) not in held)


def weights_of(op: AnyOperator) -> tuple[Weight, ...]:
    """The matrices of an operator that stand on crossbars."""
    match op:
        case Dense():
            return (op.weight,)
        case MoELayer():
            every = (*op.experts, *op.shared)
            return tuple(w for e in every for w in e.weights)
        case Attention() | Digital():
            return ()
        case _:
            assert_never(op)


def covered(weights: Iterable[Weight]) -> int:
    """Elements of a stored tensor, or of what is made of it, in at least one of the matrices."""
    by_tensor: dict[str, list[Weight]] = defaultdict(list)
    for weight in weights:
        by_tensor[weight.tensor].append(weight)
    return sum(_covered(parts) for parts in by_tensor.values())


def _covered(weights: Iterable[Weight]) -> int:
    """The same of matrices in one tensor."""
    columns: dict[tuple[int | None, bool], set[range]] = defaultdict(set)
    rows: dict[tuple[int | None, bool], int] = {}
    for w in weights:
        at = w.index, w.transposed
        columns[at].add(range(w.start, w.start + w.step * w.columns, w.step))
        rows[at] = w.rows
    total = 0
    for index in {index for index, _ in columns}:
        a, b = (_together(frozenset(columns[index, t])) for t in (False, True))
        total += a * rows.get((index, False), 0) + b * rows.get((index, True), 0) - a * b
    return total


@cache
def _together(columns: frozenset[range]) -> int:
    """How many columns there are in some of the ranges; all experts of a layer ask the same."""
    return len(set[int]().union(*columns))


def _identity(value: Value) -> int:
    tensor = value.const_value
    return id(None if tensor is None else as_stored(tensor))

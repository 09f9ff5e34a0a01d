"""Einsum of vectors and a stored matrix, in any order of letters, as MatMul."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from onnx_ir import Node, Value

from ir.onnxdoor.rewriting.instead import Constants, Instead, shape_of

ANY = "..."


@dataclass(frozen=True)
class Letters:
    """rest + summed (of the vectors), summed + columns (of the matrix) -> rest + columns, turned.

    vectors, matrix, out: as the equation has them; lead: `...` where both sides begin with it.
    """

    vectors: str
    matrix: str
    out: str
    lead: str

    @property
    def summed(self) -> str:
        """In both operands, not in the result; in the matrix's order."""
        return "".join(c for c in self.matrix if c in self.vectors)

    @property
    def columns(self) -> str:
        """In the matrix and the result, in the result's order."""
        return "".join(c for c in self.out if c in self.matrix)

    @property
    def rest(self) -> str:
        """In the vectors and the result, in the vectors' order."""
        return "".join(c for c in self.vectors if c in self.out)

    @property
    def is_product(self) -> bool:
        """Whether that is all there is: no letter twice, none summed alone, no stack."""
        each = (self.vectors, self.matrix, self.out)
        apart = not set(self.out) & set(self.vectors) & set(self.matrix)
        every = set(self.rest + self.summed) == set(self.vectors)
        every &= set(self.summed + self.columns) == set(self.matrix)
        every &= set(self.rest + self.columns) == set(self.out)
        once = all(len(set(term)) == len(term) for term in each)
        return apart and every and once and bool(self.summed) and bool(self.columns)

    @property
    def is_stack(self) -> bool:
        """Whether the matrix looks like one for each of its first letter: td,edf->tef."""
        return len(self.columns) > 1 and self.matrix[0] in self.columns

    @property
    def is_matmul(self) -> bool:
        """Whether it is read as it stands."""
        single = len(self.summed) == len(self.columns) == 1
        straight = self.vectors == self.rest + self.summed and self.out == self.rest + self.columns
        return single and straight and not self.lead


def as_matmul(new: Instead, node: Node, constants: Constants) -> bool:
    """Rewrite an Einsum of two operands of which one is stored, or one of three; whether it was."""
    if len(node.inputs) == 3:
        return _in_two(new, node, constants)
    held = [place for place, value in enumerate(node.inputs) if value in constants]
    if len(node.inputs) != 2 or len(held) != 1:
        return False
    matrix, vectors = node.inputs[held[0]], node.inputs[1 - held[0]]
    letters = _letters(node, held[0])
    dims = shape_of(matrix)
    if letters is None or matrix is None or vectors is None or dims is None:
        return False
    if len(dims) != len(letters.matrix) or not letters.is_product:
        return False
    if letters.is_matmul or letters.is_stack:
        return False
    sizes = dict(zip(letters.matrix, dims, strict=True))
    straight = letters.rest + letters.summed
    ends = letters.rest + letters.columns
    many = max(len(letters.summed), len(letters.columns)) > 1
    if letters.lead and (many or letters.vectors != straight or letters.out != ends):
        return False  # of unknown rank
    summed, columns = ([sizes[c] for c in part] for part in (letters.summed, letters.columns))
    free = [0] * len(letters.rest)
    x = _turned(new, vectors, letters.vectors, straight)
    if len(summed) > 1:
        x = new("Reshape", x, new.numbers([*free, prod(summed)]))
    w = _turned(new, matrix, letters.matrix, letters.summed + letters.columns)
    if len(dims) > 2:
        w = new("Reshape", w, new.numbers([prod(summed), prod(columns)]))
    out = new("MatMul", x, w, name=node.name)
    if len(columns) > 1:
        out = new("Reshape", out, new.numbers([*free, *columns]))
    new.give(_turned(new, out, ends, letters.out))
    return True


def _in_two(new: Instead, node: Node, constants: Constants) -> bool:
    """Vectors by matrices, then their weighted sum: bte,btd,edf->btf by way of btef.

    The matrices are stored, or gathered from those that are; their last two letters are rows and
    columns, of which the weights have none.
    """
    equation = (node.attributes.get_string("equation", "") or "").replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = dict(zip(node.inputs, left.split(","), strict=False))
    held = [v for v in terms if _has_matrices(v, constants)]
    if not arrow or "." in equation or len(terms) != 3 or len(held) != 1:
        return False
    matrix = terms.pop(held[0])
    vectors = [v for v, term in terms.items() if set(matrix[-2:]) & set(term)]
    weights = [v for v in terms if v not in vectors]
    if len(matrix) < 3 or len(vectors) != 1 or len(weights) != 1:
        return False
    mine, theirs = terms[vectors[0]], terms[weights[0]]
    summed = set(mine) & set(matrix[-2:]) - set(out)
    columns = set(matrix[-2:]) & set(out) - set(mine)
    once = all(len(set(term)) == len(term) for term in (matrix, mine, theirs, out))
    if not once or len(summed) != 1 or len(columns) != 1 or not set(theirs) & set(matrix[:-2]):
        return False
    rest = [c for c in mine if c not in summed]
    stack = [c for c in matrix[:-2] if c not in rest]
    between = "".join((*rest, *stack, *columns))
    if not set(between) <= set(out) | set(theirs):
        return False
    each = new(
        "Einsum", vectors[0], held[0], equation=f"{mine},{matrix}->{between}", name=node.name
    )
    new.give(new("Einsum", weights[0], each, equation=f"{theirs},{between}->{out}"))
    return True


def _has_matrices(value: Value | None, constants: Constants) -> bool:
    """Whether a value is stored, or entries of what is, that ids select."""
    node = None if value is None else value.producer()
    picked = node is not None and node.op_type in ("Gather", "GatherND")
    return value in constants or (picked and node is not None and node.inputs[0] in constants)


def _letters(node: Node, place: int) -> Letters | None:
    """The terms of an equation that tells its result; None for any other."""
    equation = (node.attributes.get_string("equation", "") or "").replace(" ", "")
    terms, arrow, out = equation.partition("->")
    parts = terms.split(",")
    if not arrow or len(parts) != 2:
        return None
    vectors, matrix = parts[1 - place], parts[place]
    lead = ANY if vectors.startswith(ANY) and out.startswith(ANY) else ""
    vectors, out = vectors.removeprefix(lead), out.removeprefix(lead)
    return None if "." in vectors + matrix + out else Letters(vectors, matrix, out, lead)


def _turned(new: Instead, value: Value, before: str, after: Sequence[str]) -> Value:
    """With its axes in another order; itself where that is the same."""
    if list(before) == list(after):
        return value
    return new("Transpose", value, perm=[before.index(c) for c in after])

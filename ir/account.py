"""Where every number that a model file stores goes: on crossbars, digital, folded, or nowhere."""

from dataclasses import dataclass
from typing import Literal

Held = Literal["matrix", "table", "other"]


@dataclass(frozen=True)
class DigitalWeights:
    """What operators of one type hold in memory beside them.

    operator: ONNX type of the nodes, that of the outermost where they are in a subgraph; `router`
    for all in a MoE layer that is not its experts. held: `matrix` = operands of matrix products,
    `table` = rows looked up by token ids or positions, `other` = vectors and all else. nodes:
    that hold them; first: the name of one. reason: why they are not on crossbars, "" where
    nothing says it.
    """

    operator: str
    held: Held
    nodes: int
    elements: int
    first: str
    reason: str = ""


@dataclass(frozen=True)
class SharedTensor:
    """A stored tensor whose elements several operators use; they are counted once.

    operators: of the workload; the first `copies` of them have it on crossbars of their own, and
    further dense products and MoE layers work on these.
    """

    tensor: str
    elements: int
    operators: tuple[str, ...]
    copies: int


@dataclass(frozen=True)
class WeightAccount:
    """Elements of all initialisers and Constant nodes of a file, each in one category.

    Packed elements count one by one. crossbar: in a matrix of a dense product or an expert; a
    tensor that others read too is counted here. digital: held beside the operator that reads it
    (embeddings, norms, products that are not placed). folded: what becomes part of something else
    (scales, zero points, shapes, indices, single numbers, biases of placed products). unused: read
    by nobody. groups: the digital ones by operator type, the most elements first.
    """

    crossbar: int = 0
    digital: int = 0
    folded: int = 0
    unused: int = 0
    groups: tuple[DigitalWeights, ...] = ()
    shared: tuple[SharedTensor, ...] = ()

    @property
    def elements(self) -> int:
        """All of them."""
        return self.crossbar + self.digital + self.folded + self.unused

    @property
    def matrices(self) -> int:
        """Elements of matrices and of tables, wherever they are."""
        return self.crossbar + sum(g.elements for g in self.groups if g.held != "other")

    @property
    def tables(self) -> int:
        """Elements of tables that are only looked up."""
        return sum(g.elements for g in self.groups if g.held == "table")

    @property
    def placed_percent(self) -> float:
        """Per cent of the matrices' elements that are on crossbars; 100 where there are none."""
        return _percent(self.crossbar, self.matrices)

    @property
    def placed_percent_outside_tables(self) -> float:
        """The same without tables, which are looked up and not multiplied."""
        return _percent(self.crossbar, self.matrices - self.tables)

    @property
    def in_the_way(self) -> tuple[DigitalWeights, ...]:
        """The digital matrices, the most elements first."""
        return tuple(g for g in self.groups if g.held == "matrix")


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0

"""Where the numbers that a model file stores go, as reports and commands tell it."""

from dataclasses import dataclass

from ir.account import DigitalWeights, Held, WeightAccount


@dataclass(frozen=True)
class DigitalWeightsRow:
    """What operators of one type hold in memory.

    operator: type in the ONNX file; `router` for all in a MoE layer that is not its experts.
    held: operands of products, tables that are looked up by token ids or positions, or other.
    nodes: of the ONNX graph.
    elements: that they hold.
    percent: of the elements of matrices and tables; 0 for other.
    first: name of one of the nodes.
    reason: why a matrix is not on crossbars.
    """

    operator: str
    held: Held
    nodes: int
    elements: int
    percent: float
    first: str
    reason: str


@dataclass(frozen=True)
class SharedRow:
    """A tensor that several operators use.

    tensor: name in the file.
    elements: that are counted once.
    operators: that use it.
    copies: so many of the operators, the first ones, hold it on crossbars of their own.
    """

    tensor: str
    elements: int
    operators: tuple[str, ...]
    copies: int


@dataclass(frozen=True)
class WeightsRow:
    """All numbers that the model file stores, packed ones one by one, each in one place.

    elements: of all initialisers and constants.
    crossbar: in matrices on crossbars.
    digital: held beside operators of digital units.
    folded: scales, zero points, shapes, indices, single numbers, biases of placed products.
    unused: that nobody reads.
    matrices: elements of matrices and of tables, wherever they are.
    tables: of these, in tables that are only looked up.
    placed_percent: of the matrices' elements that are on crossbars, tables included.
    placed_percent_outside_tables: the same without tables: what `--least-placed` is held against.
    groups: the digital ones by operator type, the most elements first.
    shared: tensors that several operators use.
    """

    elements: int
    crossbar: int
    digital: int
    folded: int
    unused: int
    matrices: int
    tables: int
    placed_percent: float
    placed_percent_outside_tables: float
    groups: tuple[DigitalWeightsRow, ...]
    shared: tuple[SharedRow, ...]

    @classmethod
    def of(cls, account: WeightAccount) -> "WeightsRow":
        """An account as reports have it."""
        return cls(
            elements=account.elements,
            crossbar=account.crossbar,
            digital=account.digital,
            folded=account.folded,
            unused=account.unused,
            matrices=account.matrices,
            tables=account.tables,
            placed_percent=account.placed_percent,
            placed_percent_outside_tables=account.placed_percent_outside_tables,
            groups=tuple(_row(group, account) for group in account.groups),
            shared=tuple(
                SharedRow(s.tensor, s.elements, s.operators, s.copies) for s in account.shared
            ),
        )


def _row(group: DigitalWeights, account: WeightAccount) -> DigitalWeightsRow:
    share = 0.0 if group.held == "other" else 100 * group.elements / account.matrices
    return DigitalWeightsRow(
        group.operator, group.held, group.nodes, group.elements, share, group.first, group.reason
    )


def weights_line(account: WeightAccount) -> str:
    """The account in a line: what is on crossbars, and what is not by operator type."""
    left = [
        f"{group.operator} {group.nodes} ({100 * group.elements / account.matrices:.1f} %)"
        for group in account.groups
        if group.held != "other"
    ]
    return (
        f"weights on crossbars: {account.crossbar} of {account.matrices} "
        f"({account.placed_percent:.1f} %, {account.placed_percent_outside_tables:.1f} % without "
        f"lookup tables); digital: {', '.join(left) or 'none'}"
    )

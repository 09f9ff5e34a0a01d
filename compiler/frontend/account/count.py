"""Each stored element in one category: on crossbars, digital, folded or unused."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from onnx_ir import Node

from compiler.frontend.account.tensors import Tensor, covered, gone, tensors_of, weights_of
from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from compiler.frontend.facts.operands import KERNELS, is_unknown
from compiler.frontend.facts.uses import Use
from compiler.frontend.operators.parts import Part, not_dense
from ir.account import DigitalWeights, Held, SharedTensor, WeightAccount
from ir.workload import AnyOperator, Dense, MoELayer, Suspect, Weight, homes_of

_WITHIN = ("If", "Loop", "Scan", "SequenceMap")


def account_of(
    facts: Facts,
    parts: Sequence[Part],
    operators: Sequence[AnyOperator],
    suspects: Sequence[Suspect],
) -> WeightAccount:
    """Each element of the file in one category.

    operators: those of the parts, in the same order; suspects: selections whose layer was not read.
    """
    counted = _Counted(facts, parts, operators, suspects)
    for tensor in tensors_of(facts, operators):
        counted.add(tensor)
    return counted.account(gone(facts))


@dataclass(eq=False)
class _Group:
    """What is counted of the digital weights of one operator type."""

    reason: str
    nodes: dict[Node, None] = field(default_factory=dict[Node, None])
    elements: int = 0


class _Counted:
    """The account under construction."""

    def __init__(
        self,
        facts: Facts,
        parts: Sequence[Part],
        operators: Sequence[AnyOperator],
        suspects: Sequence[Suspect],
    ) -> None:
        self._facts = facts
        self._owner = {n: op for p, op in zip(parts, operators, strict=True) for n in p.nodes}
        self._suspects = {s.node: s.reason for s in suspects}
        homes = homes_of(operators)
        self._lent = {op.name for at, op in enumerate(operators) if homes[at] != at}
        self._biases = {w.bias for op in operators for w in weights_of(op)}
        self._crossbar = self._folded = self._unused = 0
        self._groups: dict[tuple[str, Held], _Group] = {}
        self._shared: list[SharedTensor] = []

    def account(self, gone: int) -> WeightAccount:
        """What was counted; gone: elements that no graph holds."""
        groups = [
            DigitalWeights(
                operator, held, len(g.nodes), g.elements, next(iter(g.nodes)).name or "", g.reason
            )
            for (operator, held), g in self._groups.items()
        ]
        groups.sort(key=lambda g: (-g.elements, g.operator, g.held))
        return WeightAccount(
            crossbar=self._crossbar,
            digital=sum(g.elements for g in groups),
            folded=self._folded,
            unused=self._unused + gone,
            groups=tuple(groups),
            shared=tuple(self._shared),
        )

    def add(self, tensor: Tensor) -> None:
        """Count one tensor: what is on crossbars first, the rest by who reads it."""
        placed = min(covered(w for ws in tensor.placed.values() for w in ws), tensor.elements)
        self._crossbar += placed
        others = [u for u in tensor.uses if self._owner[u.outer].name not in tensor.placed]
        self._share(tensor, others)
        if tensor.elements > placed:
            self._add_rest(tensor, tensor.elements - placed, others)

    def _add_rest(self, tensor: Tensor, rest: int, uses: Sequence[Use]) -> None:
        roles = {use.role for use in uses}
        order = self._facts.graph.order
        held: Held | None = None
        if "matrix" in roles:
            held = "matrix"
        elif "table" in roles:
            held = "table"
        elif "other" in roles and not self._is_folded(tensor, uses):
            held = "other"
        if held is not None:
            readers = [u for u in uses if u.role == held]
            readers.sort(key=lambda u: order[u.outer])
            self._hold(held, readers, rest)
        elif uses or any(v.is_graph_output() for v in tensor.values):
            self._folded += rest
        else:
            self._unused += rest

    def _is_folded(self, tensor: Tensor, uses: Sequence[Use]) -> bool:
        """Whether a tensor is a bias of placed products, or read by such products alone."""
        if any(name_of(value) in self._biases for value in tensor.values):
            return True
        return all(isinstance(self._owner[u.outer], Dense) for u in uses if u.role == "other")

    def _hold(self, held: Held, uses: Sequence[Use], elements: int) -> None:
        """Count `elements` for the first of the uses, and the nodes of them all."""
        for use in uses:
            key = "router" if self._selects(use) else use.outer.op_type, held
            if key not in self._groups:
                self._groups[key] = _Group(self._reason(use) if held == "matrix" else "")
            self._groups[key].nodes[use.outer] = None
            self._groups[key].elements += elements if use is uses[0] else 0

    def _selects(self, use: Use) -> bool:
        """Whether a use is in a MoE layer and none of its experts: its router's, then."""
        return isinstance(self._owner[use.outer], MoELayer)

    def _reason(self, use: Use) -> str:
        """Why a matrix is not on crossbars."""
        node, kind = use.outer, use.outer.op_type
        if self._selects(use):
            return "a router's scores are computed by a digital unit"
        product = self._facts.products.by_node.get(node)
        reason = "" if product is None else not_dense(self._facts, product)
        if node.name in self._suspects or reason:
            return self._suspects.get(node.name or "", reason)
        if kind in _WITHIN:
            return "products in a subgraph are not read"
        if use.picked is not None:
            return "its matrices are taken at run time, and no MoE layer was read around it"
        if kind in KERNELS:
            return "convolutions are not read"
        if "Integer" in kind or kind.startswith(("QLinear", "QGemm", "Dynamic")):
            return "products of integers are not read"
        if is_unknown(node):
            return f"operator {kind} is not known"
        return "not read as a product of tokens with one stored matrix"

    def _share(self, tensor: Tensor, others: Sequence[Use]) -> None:
        """List a tensor of which elements are used by several operators, its holders first.

        Dense products with one matrix work on the same crossbars, and so do MoE layers with the
        same experts: the first of them has a copy.
        """
        by_matrix: dict[Weight, set[str]] = defaultdict(set)
        for operator, weights in tensor.placed.items():
            for weight in weights:
                by_matrix[weight].add(operator)
        copied = {op for names in by_matrix.values() if len(names) > 1 for op in names}
        roles = ("matrix", "table") if tensor.placed else ("matrix",)
        reads = {self._owner[u.outer].name: None for u in others if u.role in roles}
        placed = [op for op in tensor.placed if op in copied or reads]
        if len(placed) + len(reads) > 1:
            placed.sort(key=lambda op: op in self._lent)
            copies = sum(op not in self._lent for op in placed)
            users = (*placed, *reads)
            self._shared.append(SharedTensor(tensor.name, tensor.elements, users, copies))

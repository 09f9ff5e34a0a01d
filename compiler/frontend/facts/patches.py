"""Models of images and sounds: tokens are made inside, of an input that has no axis of them."""

from collections import Counter
from dataclasses import dataclass

from onnx_ir import Node, Value

from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.kinds import NORMS
from compiler.frontend.facts.products import Products
from compiler.frontend.facts.shape_rules import ELEMENTWISE
from compiler.frontend.facts.sizes import Sizes
from ir.errors import InputError

_ROW_BY_ROW = ELEMENTWISE | NORMS | {"ReduceMean"}
_BEFORE_CONV = (*ELEMENTWISE, "Pad", "Reshape", "Unsqueeze", "Squeeze", "BatchNormalization")


@dataclass(frozen=True, eq=False)
class Patches:
    """Where a model's tokens begin: `values` are [batch, tokens, width] and made of no tokens."""

    values: tuple[Value, ...]
    tokens: int


def patches_of(graph: Graph, sizes: Sizes, products: Products) -> Patches | None:
    """Where the tokens of a model of images begin; None for a model whose input has tokens.

    Most products read as many rows as there are tokens (the one that embeds patches may read fewer,
    as a class token is joined to them later). From the first product on the tokens are followed
    back through elementwise steps and norms to values that are not made of as many rows.
    """
    if not of_images(graph):
        return None
    rows = {p: _rows(sizes, p.data) for p in products.by_node.values()}
    counted = Counter(count for count in rows.values() if count is not None)
    if not counted:
        return None
    tokens = counted.most_common(1)[0][0]
    todo = [next(product.data for product, count in rows.items() if count == tokens)]
    begins: dict[Value, None] = {}
    while todo:
        value = todo.pop()
        before = _made_of(graph, sizes, value.producer(), tokens)
        todo += before
        if not before:
            begins[value] = None
    return Patches(tuple(begins), tokens)


def of_images(graph: Graph) -> bool:
    """Whether the first input is no sequence of vectors: four axes, or three and a convolution."""
    lead = graph.token_inputs[0]
    rank = len(lead.shape) if lead.shape is not None else 0
    if lead.dtype is None or not lead.dtype.is_floating_point() or rank < 3:
        return False
    return rank > 3 or _feeds_conv(graph, lead)


def check_images(graph: Graph, patches: Patches | None, tokens: int) -> None:
    """InputError where images do not become as many tokens as are asked for, or any number."""
    lead = graph.token_inputs[0]
    where, dims = f"{graph.name}: input {name_of(lead)!r}", list(lead.shape or ())
    if patches is None and not all(isinstance(dim, int) for dim in dims[1:]):
        shape = ", ".join(str(dim) for dim in dims)
        raise InputError(
            where,
            f"shape [{shape}]: how many tokens are made of it does not follow from that",
            "export with a fixed height and width (the batch may be free)",
        )
    if patches is not None and tokens != patches.tokens:
        raise InputError(
            where,
            f"becomes exactly {patches.tokens} tokens, asked for {tokens}",
            f"use --prefill {patches.tokens}",
        )


def _feeds_conv(graph: Graph, lead: Value) -> bool:
    todo, seen = [lead], {lead}
    while todo:
        for node in graph.readers(todo.pop()):
            if node.op_type == "Conv":
                return True
            if node.op_type in _BEFORE_CONV:
                todo += [v for v in node.outputs if v not in seen]
                seen.update(node.outputs)
    return False


def _rows(sizes: Sizes, value: Value) -> int | None:
    """Rows of a value [batch, rows, width]."""
    shape = sizes.fixed(value)
    if shape is None or len(shape) != 3 or shape[0] != sizes.batch:
        return None
    return shape[1]


def _made_of(graph: Graph, sizes: Sizes, node: Node | None, tokens: int) -> list[Value]:
    """The values of as many rows that a node changes row by row; none for another node."""
    if node is None or node.op_type not in _ROW_BY_ROW:
        return []
    return [v for v in graph.data_inputs(node) if _rows(sizes, v) == tokens]

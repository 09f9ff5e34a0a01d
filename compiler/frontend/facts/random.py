"""Operators that draw numbers: no two runs of such a model are the same, so nothing is checked."""

import numpy as np
from onnx_ir import Node, Value

from ir.errors import InputError
from ir.onnxdoor.load import Source

DRAWING = frozenset(
    "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split()
)
WHAT_TO_DO = "export the model in eval mode"


def random_operators(source: Source) -> str:
    """The operators of a model that draw numbers, in words; '' where there are none.

    Subgraphs included. A Dropout draws none outside of training, or at a ratio of 0.
    """
    version = source.model.opset_imports.get("", 1)
    found = [node for node in source.every_node if _draws(node, version)]
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"random operators: {found[0].op_type} {found[0].name!r}{more}"


def refuse_random(source: Source) -> None:
    """InputError naming the first operator that draws numbers, if there is one."""
    found = random_operators(source)
    if found:
        raise InputError(str(source.path), found, WHAT_TO_DO)


def _draws(node: Node, version: int) -> bool:
    kind = node.op_type
    if kind not in DRAWING and kind != "Dropout":  # nearly every node
        return False
    if node.domain not in ("", "ai.onnx", "com.microsoft"):
        return False
    if kind != "Dropout":
        return True
    if version < 7:
        return not node.attributes.get_int("is_test", 0)
    if version < 12:  # says nothing of training: it is the identity
        return False
    training = _number(node, 2, without=0.0)
    return training != 0 and _number(node, 1, without=0.5) != 0


def _number(node: Node, place: int, without: float) -> float | None:
    """A stored input as a number, `without` where it is left out; None if it is not stored."""
    value: Value | None = node.inputs[place] if len(node.inputs) > place else None
    if value is None:
        return without
    tensor = value.const_value
    return None if tensor is None else float(np.ravel(tensor.numpy())[0])

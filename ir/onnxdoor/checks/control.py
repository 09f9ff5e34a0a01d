"""If, Loop and Scan: the graphs in them must be there, and take and give what the node does.

onnx checks no node that holds a graph as long as the graph reads values around it.
"""

from pathlib import Path

import onnx

from ir.errors import InputError

_GRAPHS = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}


def check_control(node: onnx.NodeProto, version: int, path: Path) -> None:
    """Refuse an If, Loop or Scan whose graphs do not fit it; version: of the operator set.

    Raises InputError naming the node and the graph or input.
    """
    if node.op_type == "Scan" and version < 9:  # another operator, with a batch
        return
    told = f"node {node.name!r} ({node.op_type})"
    given = [name for place, name in enumerate(node.input) if node.op_type != "Loop" or place > 1]
    if "" in given or (node.op_type == "If" and len(given) != 1):
        raise InputError(str(path), f"{told}: an input is missing")
    scanned = [a.i for a in node.attribute if a.name == "num_scan_inputs"]
    if node.op_type == "Scan" and (len(scanned) != 1 or not 1 <= scanned[0] <= len(given)):
        found = scanned[0] if scanned else "missing"
        raise InputError(
            str(path), f"{told}: num_scan_inputs: {found}, expected 1 to {len(given)}, its inputs"
        )
    graphs = {a.name: a.g for a in node.attribute if a.HasField("g")}
    for name in _GRAPHS[node.op_type]:
        if name not in graphs:
            raise InputError(str(path), f"{told}: {name}: missing, expected a graph")
        _check_graph(graphs[name], node, f"{told}: {name}", path)


def is_control(node: onnx.NodeProto) -> bool:
    """Whether a node is one of ONNX's own that hold graphs."""
    return node.domain in ("", "ai.onnx") and node.op_type in _GRAPHS


def _check_graph(graph: onnx.GraphProto, node: onnx.NodeProto, told: str, path: Path) -> None:
    """As many inputs and outputs as the operator's definition says for those of the node."""
    loop = node.op_type == "Loop"  # of which the number of the round and a condition are given
    takes = 0 if node.op_type == "If" else max(len(node.input), 2 if loop else 0)
    gives = len(node.output) + loop
    for what, found, wanted in (
        ("inputs", len(graph.input), takes),
        ("outputs", len(graph.output), gives),
    ):
        if found != wanted:
            raise InputError(str(path), f"{told}: {found} {what}, expected {wanted}")

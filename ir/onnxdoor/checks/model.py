"""What a model file must not contain, checked on the parsed protobuf before anything uses it.

Nothing here reads a weight: sizes come from declared shapes, external data is only located.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import onnx

from ir.errors import InputError
from ir.limits import Limits
from ir.onnxdoor.checks.bodies import Body, bodies, tensors
from ir.onnxdoor.checks.control import check_control, is_control
from ir.onnxdoor.checks.counts import check_counts, subgraphs
from ir.onnxdoor.checks.stored import BITS, check_tensors
from ir.onnxdoor.processes.onnx_process import check_nodes

LARGEST_VERSION = 2**31 - 1  # as onnx keeps it
_LEAST = {"FusedMatMul": 2, "MatMulNBits": 3, "MoE": 3, "QMoE": 3}  # inputs that are read by place


def check_proto(proto: onnx.ModelProto, path: Path, limits: Limits) -> list[Body]:
    """Refuse a model that is empty, too deep, too large, misnamed, or reaches outside its folder.

    Returns its graphs and functions. Raises InputError naming the file and the node or tensor.
    """
    if not proto.HasField("graph") or not proto.graph.node:
        raise InputError(str(path), "no graph with nodes in it, expected an ONNX model")
    _check_versions(proto, path)
    check_counts(proto, path, limits)
    found = bodies(proto)
    _check_names(proto, found, path, limits)
    _check_inputs(proto, found, path)
    check_tensors(tensors(found), path, limits)
    _check_operators(proto, found, path)
    _check_scope(proto.graph, [], path)
    for function in proto.functions:
        scopes = _check_sources(function.node, set(function.input), [], path)
        lost = [name for name in function.output if name not in scopes[0]]
        if lost:
            told = f"function {function.name!r}: its output {lost[0]!r}: nothing makes it"
            raise InputError(str(path), told)
    return found


def _check_versions(proto: onnx.ModelProto, path: Path) -> None:
    """The versions of the form and of the operator sets, each said once."""
    if not 1 <= proto.ir_version <= LARGEST_VERSION:
        raise InputError(str(path), f"ir_version: {proto.ir_version}, expected at least 1")
    for sets in (proto.opset_import, *(f.opset_import for f in proto.functions)):
        versions: dict[str, int] = {}
        for one in sets:
            where = f"opset_import of domain {one.domain[:80]!r}"
            if not 1 <= one.version <= LARGEST_VERSION:
                raise InputError(str(path), f"{where}: {one.version}, expected at least 1")
            if versions.setdefault(one.domain, one.version) != one.version:
                told = f"{where}: {versions[one.domain]} and {one.version}, expected one version"
                raise InputError(str(path), told)
    if not proto.opset_import:
        raise InputError(str(path), "opset_import: none, expected at least one operator set")


def _check_names(proto: onnx.ModelProto, found: Sequence[Body], path: Path, limits: Limits) -> None:
    """Every name must be text of one line, and not too long."""
    names = [opset.domain for opset in proto.opset_import]
    names += [value.name for value in (*proto.graph.input, *proto.graph.output)]
    for function in proto.functions:
        names += function.name, function.domain, function.overload
        names += *function.input, *function.output
    for body in found:
        for node in body.nodes:
            names += node.name, node.op_type, node.domain, *node.input, *node.output
            names += [a.name for a in node.attribute]
    names += [tensor.name for tensor in tensors(found)]
    each = dict.fromkeys(names)  # most are there several times
    if not _are_plain(each, limits):
        for name in each:
            _check_name(name, path, limits)


def _check_inputs(proto: onnx.ModelProto, found: Sequence[Body], path: Path) -> None:
    """What the model is given must be tensors of numbers, and no tensor may be sparse."""
    for value in proto.graph.input:
        told, kind = f"input {value.name[:80]!r}", value.type.tensor_type
        if kind.elem_type not in BITS:
            raise InputError(str(path), f"{told}: its type is not that of a tensor of numbers")
        for dim in kind.shape.dim:
            if dim.dim_value < 0:
                raise InputError(str(path), f"{told}: an axis of {dim.dim_value}")
    for body in found:
        for tensor in body.sparse:
            told = f"sparse tensor {tensor.values.name[:80]!r}: not read"
            raise InputError(str(path), told, "store it with its zeros")


def _check_operators(proto: onnx.ModelProto, found: Sequence[Body], path: Path) -> None:
    """Every node of a known operator must have the attributes and inputs of its definition."""
    opsets = {o.domain: o.version for o in proto.opset_import}
    version = opsets.get("", opsets.get("ai.onnx", 0))
    own = (node for body in found for node in body.nodes if node.domain in ("", "ai.onnx"))
    if not version and (first := next(own, None)):
        told = f"opset_import: not of ONNX's own operators, which node {first.name!r} is one of"
        raise InputError(str(path), f"{told} ({first.op_type})")
    asked: list[onnx.NodeProto] = []
    for body in found:
        for node in body.nodes:
            attributes = list(node.attribute)
            if attributes:
                _check_attributes(node, attributes, path)
            if is_control(node):
                check_control(node, version, path)
            nested = any(a.HasField("g") or a.graphs for a in attributes)
            if not nested and node.domain in ("", "ai.onnx") and _is_known(node.op_type, version):
                _check_split(node, path)
                asked.append(node)
            if node.domain == "com.microsoft":
                _check_given(node, path)
    check_nodes(proto, asked, str(path))


@lru_cache(4096)
def _is_known(op_type: str, version: int) -> bool:
    """Whether an operator is ONNX's own, of a version of them."""
    return bool(onnx.defs.has(op_type, version))


def _check_attributes(
    node: onnx.NodeProto, attributes: Sequence[onnx.AttributeProto], path: Path
) -> None:
    """Each is there once and says its type, which files of the first IR version may leave out."""
    _once([a.name for a in attributes], set(), f"node {node.name!r}: attribute", path)
    for attribute in attributes:
        if attribute.type == onnx.AttributeProto.UNDEFINED:
            told = f"node {node.name!r} ({node.op_type}): attribute {attribute.name[:80]!r}"
            hint = "export the model again, with a current IR version"
            raise InputError(str(path), f"{told}: no type", hint)


def _check_split(node: onnx.NodeProto, path: Path) -> None:
    """A Split has the outputs that it says: onnx's shape inference ends our process otherwise."""
    said = [a.i for a in node.attribute if a.name == "num_outputs"]
    if node.op_type == "Split" and said and said[0] != len(node.output):
        told = f"node {node.name!r} (Split): num_outputs = {said[0]}, it has {len(node.output)}"
        raise InputError(str(path), told)


def _check_given(node: onnx.NodeProto, path: Path) -> None:
    """An operator of ONNX Runtime's must have the inputs without which it is none."""
    given = max((place for place, name in enumerate(node.input, 1) if name), default=0)
    least = _LEAST.get(node.op_type, 0)
    if given < least:
        told = f"node {node.name!r} ({node.op_type}): {given} inputs, expected {least} at least"
        raise InputError(str(path), told)


def _check_scope(graph: onnx.GraphProto, around: Sequence[set[str]], path: Path) -> None:
    """Every value that is read must be made somewhere in the graph or around it, and once."""
    inputs = _once((v.name for v in graph.input), set(), "input", path)
    stored = [*(t.name for t in graph.initializer)]
    stored += [t.values.name for t in graph.sparse_initializer]
    own = inputs | _once(stored, set(), "initialiser", path)
    scopes = _check_sources(graph.node, own, around, path)
    for value in graph.output:
        if not any(value.name in names for names in scopes):
            raise InputError(str(path), f"output {value.name!r}: nothing makes it")


def _check_sources(
    nodes: Sequence[onnx.NodeProto], given: set[str], around: Sequence[set[str]], path: Path
) -> list[set[str]]:
    """The names known in a body, its own first; InputError where a node reads another one."""
    made = _once((name for node in nodes for name in node.output if name), given, "value", path)
    scopes = [made | given, *around]
    for node in nodes:
        for name in node.input:
            if name and name not in scopes[0] and not any(name in names for names in around):
                raise InputError(
                    str(path),
                    f"node {node.name!r} ({node.op_type}): reads {name!r}, which nothing makes",
                )
        for inner in subgraphs(node):
            _check_scope(inner, scopes, path)
    return scopes


def _once(names: Iterable[str], taken: set[str], what: str, path: Path) -> set[str]:
    """The names; InputError where one comes twice, or is taken."""
    found: set[str] = set()
    for name in names:
        if name in found or name in taken:
            raise InputError(str(path), f"{what} {name[:80]!r}: there twice, expected once")
        found.add(name)
    return found


def _are_plain(names: Collection[str], limits: Limits) -> bool:
    """Whether names are short and of ASCII alone, as nearly all are: told of all together."""
    try:
        letters = "".join(names)
    except TypeError:  # protobuf gives bytes that are no UTF-8 as they are
        return False
    plain = letters.isascii() and letters.isprintable()
    return plain and max(map(len, names)) <= limits.name_length


def _check_name(name: object, path: Path, limits: Limits) -> None:
    if not isinstance(name, str):
        raise InputError(str(path), f"name {name!r}: not UTF-8")
    limits.check("name_length", len(name), str(path), f"name {name[:40]!r}...")
    if not name.isprintable():
        raise InputError(str(path), f"name {name[:60]!r}: has characters that do not print")

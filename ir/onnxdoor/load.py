"""Open an ONNX file: check it, name its nodes, inline its functions; never read its weights."""

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import onnx
import onnx_ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx_ir.passes.common import (
    InlinePass,
    LiftConstantsToInitializersPass,
    RemoveUnusedNodesPass,
)

from ir.arrays import Array
from ir.errors import InputError
from ir.infile import check_file
from ir.limits import Limits
from ir.onnxdoor.checks.bodies import tensors
from ir.onnxdoor.checks.links import follow_links
from ir.onnxdoor.checks.model import check_proto
from ir.onnxdoor.checks.wire import SMALLEST, messages
from ir.onnxdoor.rewriting.branches import open_branches
from ir.onnxdoor.rewriting.integers import as_floats
from ir.onnxdoor.rewriting.kernels import as_matmuls
from ir.onnxdoor.rewriting.unfuse import unfuse
from ir.onnxdoor.stored import stored_tensors
from ir.onnxdoor.subgraphs import captured, every_node, has_unused, in_order
from ir.onnxdoor.widen import widen

PROTOBUF_BYTES = 2**31 - 1  # that it can parse; larger models keep weights outside the file


@dataclass(frozen=True, eq=False)
class Source:
    """An opened model: `model` holds the graph, weights only as references.

    Nodes are in topological order, each with a name of its own; functions are inlined, Constant
    nodes are initialisers, nodes whose outputs no one uses are gone, FusedGemm is split in two.
    widened: some values had 16 bits in the file and have 32 here (see `widen`). rewritten: some
    products are others' nodes than the file's (see `rewrite`). tensors: all that the file stores,
    in nodes that are gone too (see `stored`). computed: see there. limits: it was opened with.
    """

    path: Path
    sha256: str
    model: onnx_ir.Model
    widened: bool = False
    rewritten: bool = False
    tensors: tuple[onnx_ir.TensorProtocol, ...] = ()
    limits: Limits = field(default_factory=Limits)
    computed: dict[str, Array] = field(default_factory=dict[str, Array], repr=False)
    _protos: dict[onnx_ir.Node, onnx.NodeProto] = field(
        default_factory=dict[onnx_ir.Node, onnx.NodeProto], repr=False
    )

    _reads: dict[onnx_ir.Node, tuple[onnx_ir.Value, ...]] = field(
        default_factory=dict[onnx_ir.Node, tuple[onnx_ir.Value, ...]], repr=False
    )

    def proto(self, node: onnx_ir.Node) -> onnx.NodeProto:
        """A node as protobuf, made once: what is cut out of a model takes the same ones again."""
        found = self._protos.get(node)
        if found is None:
            found = self._protos[node] = onnx_ir.serde.serialize_node(node)
        return found

    @cached_property
    def nodes(self) -> tuple[onnx_ir.Node, ...]:
        """The nodes of the main graph, in order."""
        return tuple(self.graph)

    @cached_property
    def every_node(self) -> tuple[onnx_ir.Node, ...]:
        """The nodes in order, each followed by those of the graphs that it holds."""
        return tuple(every_node(self.graph))

    @cached_property
    def values(self) -> dict[str, onnx_ir.Value]:
        """Inputs, initialisers and what the nodes of the main graph make, by name."""
        made = (value for node in self.nodes for value in node.outputs)
        named = (*self.graph.inputs, *self.graph.initializers.values(), *made)
        return {value.name: value for value in named if value.name}

    def reads(self, node: onnx_ir.Node) -> tuple[onnx_ir.Value, ...]:
        """Every value that a node of the main graph reads, those of its subgraphs included."""
        found = self._reads.get(node)
        if found is None:
            given = (value for value in node.inputs if value is not None)
            found = self._reads[node] = (*given, *(captured(node) if node.attributes else ()))
        return found

    @property
    def graph(self) -> onnx_ir.Graph:
        """The main graph."""
        return self.model.graph


def open_model(path: str | Path, as_it_is: bool = False, limits: Limits | None = None) -> Source:
    """Read and check the model at `path`; InputError names what makes it unusable.

    as_it_is: with floats of 16 bits and products of integers, as the file has them. limits: None:
    those in force.
    """
    path, limits = Path(path), limits or Limits.in_force()
    data = _read(path, limits)
    if len(data) > SMALLEST * limits.messages:  # fewer bytes cannot hold too many
        count = messages(data, limits.messages)
        limits.check("messages", count, str(path), "nodes, tensors, names")
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise InputError(str(path), "not an ONNX file: its protobuf does not parse") from error
    found = check_proto(proto, path, limits)
    folder = follow_links(tensors(found), path)
    del found
    sha256 = hashlib.sha256(data).hexdigest()
    del data
    try:
        model = onnx_ir.serde.deserialize_model(proto)
        stored = stored_tensors(model)
        if model.functions:
            InlinePass()(model)
        LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        if has_unused(model.graph):
            RemoveUnusedNodesPass()(model)
        _put_in_order(model.graph)  # what follows a value to its maker would not end in a cycle
        unfuse(model.graph)
        rewritten = not as_it_is and rewrite(model.graph, str(path), limits)
        if rewritten:
            _put_in_order(model.graph)
    except InputError:
        raise
    except Exception as error:  # onnx_ir raises of any kind where a graph is none
        raise InputError(str(path), f"not a valid ONNX graph: {first_line(error)}") from error
    onnx_ir.external_data.set_base_dir(  # pyright: ignore[reportUnknownMemberType] (bare PathLike)
        model.graph, folder
    )
    _name_nodes(model.graph)
    widened = not as_it_is and widen(model.graph)
    return Source(path, sha256, model, widened, rewritten, stored, limits)


def _put_in_order(graph: onnx_ir.Graph) -> None:
    """Every node behind those whose values it reads; ValueError where that cannot be."""
    if not in_order(graph):
        graph.sort()


def rewrite(graph: onnx_ir.Graph, where: str, limits: Limits) -> bool:
    """Write products by stored matrices in the forms that are read; whether anything changed."""
    changed = [open_branches(graph, where, limits), as_floats(graph), as_matmuls(graph)]
    return any(changed)


def first_line(error: BaseException) -> str:
    """The first line of what an error is from, at most 300 characters, or its class name."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _read(path: Path, limits: Limits) -> bytes:
    """The bytes of a regular file that is not too large."""
    size = check_file(path, "an ONNX file")
    if size == 0:
        raise InputError(str(path), "an empty file, expected an ONNX model")
    if size > PROTOBUF_BYTES:
        told = f"{size} bytes, an ONNX file has at most {PROTOBUF_BYTES}"
        raise InputError(str(path), told, "store the weights as external data")
    limits.check("file_bytes", size, str(path), "the file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}") from error


def _name_nodes(graph: onnx_ir.Graph) -> None:
    """Give a name of its own to every node that has none or shares it with another node."""
    count = Counter(node.name for node in graph)
    taken = {name for name, times in count.items() if name and times == 1}
    for index, node in enumerate(graph):
        if not node.name or count[node.name] > 1:
            stem = f"{node.name or node.op_type}#{index}"
            names = itertools.chain([stem], (f"{stem}#{again}" for again in itertools.count(1)))
            node.name = next(name for name in names if name not in taken)
            taken.add(node.name)

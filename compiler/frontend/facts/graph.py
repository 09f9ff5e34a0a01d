"""The graph room: what is constant, what depends on the tokens, who reads and writes a value."""

from dataclasses import dataclass, field
from functools import cached_property

from onnx_ir import Node, Value

from ir.errors import InputError
from ir.onnxdoor.load import Source

SHAPE_OPS = ("Shape", "Size")
_PASSING = ("Cast", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Flatten", "Clip", "Where")
_BEHIND = ("Flatten",)  # whose axis may be behind the last

# Nodes that are followed from a value to what is looked for: more than exports have there, and few,
# so that of many values in one long chain each costs the same.
FOLLOWED = 16


@dataclass(frozen=True, eq=False)
class Graph:
    """A model's graph with the facts every later step asks for.

    nodes: in topological order. Three kinds of values: constant (made from initialisers alone),
    data (depends on what the tokens are) and the rest, which depends on other inputs or on the
    number of tokens only (positions, masks, shapes).
    """

    source: Source
    nodes: tuple[Node, ...]
    _led_to: list[int] = field(default_factory=list[int], repr=False)  # values, by search

    @classmethod
    def of(cls, source: Source) -> "Graph":
        """The graph of an opened model."""
        return cls(source, source.nodes)

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return str(self.source.path)

    @cached_property
    def order(self) -> dict[Node, int]:
        """Position of each node."""
        return {node: index for index, node in enumerate(self.nodes)}

    @cached_property
    def inputs(self) -> tuple[Value, ...]:
        """The model's inputs, without initialisers that are listed as inputs."""
        return tuple(v for v in self.source.graph.inputs if not v.is_initializer())

    @cached_property
    def by_name(self) -> dict[str, Value]:
        """The inputs and what the nodes make, by name."""
        made = [v for n in self.nodes for v in n.outputs]
        return {name_of(v): v for v in (*self.inputs, *made)}

    @cached_property
    def outputs(self) -> tuple[Value, ...]:
        """The model's outputs."""
        return tuple(self.source.graph.outputs)

    @cached_property
    def _readers(self) -> dict[Value, tuple[Node, ...]]:
        found: dict[Value, dict[Node, None]] = {}
        for node in self.nodes:
            for value in self.reads(node):
                found.setdefault(value, {})[node] = None
        return {value: tuple(nodes) for value, nodes in found.items()}

    def reads(self, node: Node) -> tuple[Value, ...]:
        """Every value a node reads, those of its subgraphs included."""
        return self.source.reads(node)

    def readers(self, value: Value) -> tuple[Node, ...]:
        """The nodes that read a value, in order, each once."""
        return self._readers.get(value, ())

    @cached_property
    def constant(self) -> frozenset[Value]:
        """Values made from initialisers alone."""
        found = set(self.source.graph.initializers.values())
        for node in self.nodes:
            if not node.op_type.startswith("Random") and found.issuperset(self.reads(node)):
                found.update(node.outputs)
        return frozenset(found)

    @cached_property
    def token_inputs(self) -> tuple[Value, ...]:
        """The inputs that say what the tokens are: ids looked up in a table, or vectors.

        Positions, masks and caches are not among them.
        """
        ids = tuple(v for v in self.inputs if self._looked_up(v))
        named = tuple(v for v in ids if "position" not in (v.name or ""))
        if named or ids:
            return named or ids
        floats = tuple(
            v for v in self.inputs if v.dtype is not None and v.dtype.is_floating_point()
        )
        return floats[:1] or self.inputs[:1]

    def _looked_up(self, value: Value) -> bool:
        """Whether an integer input indexes rows of a constant table."""
        if value.dtype is None or not value.dtype.is_integer():
            return False
        todo, seen = [value], {value}
        while todo:
            current = todo.pop()
            for node in self.readers(current):
                table = node.inputs[0] if node.inputs else None
                if node.op_type in ("Gather", "EmbedLayerNormalization"):
                    if table is None or table not in self.constant:
                        continue
                    if table.shape is None or len(table.shape) >= 2:
                        return True
                elif node.op_type in _PASSING:
                    fresh = [v for v in node.outputs if v not in seen]
                    seen.update(fresh)
                    todo.extend(fresh)
        return False

    @cached_property
    def data(self) -> frozenset[Value]:
        """Values that depend on what the tokens are (their number alone does not count)."""
        found = set(self.token_inputs)
        for node in self.nodes:
            if node.op_type not in SHAPE_OPS and not found.isdisjoint(self.reads(node)):
                found.update(node.outputs)
        return frozenset(found)

    @cached_property
    def _data_inputs(self) -> dict[Node, tuple[Value, ...]]:
        data = self.data
        reads = ((n, () if n.op_type in SHAPE_OPS else self.reads(n)) for n in self.nodes)
        return {n: tuple(dict.fromkeys(v for v in values if v in data)) for n, values in reads}

    def data_inputs(self, node: Node) -> tuple[Value, ...]:
        """The data values a node of the main graph reads, each once; none for Shape and Size."""
        return self._data_inputs[node]

    def count_led_to(self, values: int) -> None:
        """Note a search through so many values; InputError where all so far are too many."""
        self._led_to.append(values)
        total = sum(self._led_to)
        what = f"what {len(self._led_to)} searches for experts looked through"
        self.source.limits.check("led_to", total, self.name, what, enough=10 * total)

    @cached_property
    def _data_nodes(self) -> frozenset[Node]:
        data = self.data
        return frozenset(n for n in self.nodes if not data.isdisjoint(n.outputs))

    def is_data(self, node: Node) -> bool:
        """Whether a node's outputs depend on what the tokens are."""
        return node in self._data_nodes

    def only_reader(self, value: Value) -> Node | None:
        """The single node that reads a value, if there is one and it is no model output."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 and not value.is_graph_output() else None

    def content_reader(self, value: Value) -> Node | None:
        """The single node that reads what is in a value, whose shape others may read."""
        readers = [n for n in self.readers(value) if n.op_type not in SHAPE_OPS]
        return readers[0] if len(readers) == 1 and not value.is_graph_output() else None


def name_of(value: Value | None) -> str:
    """A value's name, never None."""
    return (value.name or "") if value is not None else ""


def axis_attribute(node: Node, default: int, rank: int) -> int:
    """A node's `axis`, counted from the front; InputError where the value has no such axis."""
    said = int(node.attributes.get_int("axis", default) or 0)
    axis = said + rank if said < 0 else said
    last = rank if node.op_type in _BEHIND else rank - 1
    if not 0 <= axis <= last:
        where = f"node {node.name!r} ({node.op_type})"
        raise InputError(where, f"axis: {said}, expected {-rank} to {last}")
    return axis

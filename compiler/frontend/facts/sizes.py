"""Shapes for several numbers of tokens at once.

Instead of symbolic algebra, every size is computed for a handful of token counts: a shape is an
int64 array [rank, samples], and small integer values that come from shape arithmetic (reshape
targets, an expert-choice router's capacity) carry their content per sample. What differs between
samples depends on the number of tokens; a formula is recovered by fitting all samples.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property

import numpy as np
import onnx_ir
from onnx_ir import Node, Value

from compiler.frontend.facts.arithmetic import READABLE, Arithmetic, taken_of_shape
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.inference import UNKNOWN, Content, Inference, Known
from compiler.frontend.facts.inputs import fixed_batch, token_axis_of_input, token_dims
from ir.arrays import Array, Ints

SMALL = (1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 16)  # where a least capacity shows
SAMPLES = (37, 64, 101, 509, 4001, 65521, 1000003)  # no multiples of one another
SHORT = (37, 53, 64, 101, 11, 13, 23, 7, 5)  # for a model of limited length
MAX_CONTENT = 64  # elements; shape arithmetic is smaller than that


class Sizes:
    """Shapes, element types and small contents of every value of a graph, which stays as it is.

    `tokens` [samples]: the tokens of a sequence, or the one length of a static export (the longest
    of its sides'). `batch`: sequences together where the file fixes their number, else 1.
    """

    def __init__(
        self,
        graph: Graph,
        samples: Sequence[int] = SAMPLES,
        lengths: Mapping[Value, int] | None = None,
    ) -> None:
        """Compute all sizes for the given token counts (a static export has its own).

        lengths: of the inputs of tokens, where the sides of the model differ: one sample, then.
        """
        self._graph = graph
        self._shape: dict[Value, Ints] = {}
        self._kind: dict[Value, onnx_ir.DataType] = {}  # where the file declares none
        self._content: dict[Value, Content] = {}
        self._inference, self._arithmetic = Inference(graph.source), Arithmetic(graph.source)
        self._too_long: set[int] = set()
        self._lengths: Mapping[Value, int] = lengths or {}
        self._tokens_of: Mapping[Value, int] = {}
        self._exact: Sizes | None = None
        self.static_tokens, self._params = token_dims(graph, samples, self._lengths)
        self.batch = fixed_batch(graph) or 1
        fixed = self.static_tokens
        self.tokens = np.array(samples if fixed is None else (fixed,), dtype=np.int64)
        for value in graph.inputs:
            self._set_input(value)
        for value in graph.source.graph.initializers.values():
            self._set_constant(value)
        for node in graph.nodes:
            self._set_outputs(node)

    @classmethod
    def fitting(cls, graph: Graph) -> "Sizes":
        """Sizes at token counts that the model can take: stored masks or positions may limit it."""
        sizes = cls(graph)
        most = max((t for i, t in enumerate(SAMPLES) if i not in sizes._too_long), default=0)
        shorter = tuple(t for t in SHORT if t <= most)
        limited = bool(sizes._too_long) and sizes.static_tokens is None
        return cls(graph, shorter) if limited and len(shorter) > 1 else sizes

    def at_length(self, tokens: int) -> "Sizes":
        """The same shapes of a file of one size, whose tokens are so many."""
        out = copy(self)
        out.static_tokens, out.tokens = tokens, np.array([tokens], dtype=np.int64)
        out._shape = {value: shape[:, :1] for value, shape in self._shape.items()}
        out._content = {value: content[:1] for value, content in self._content.items()}
        return out

    def of_sides(self, graph: Graph, lengths: Mapping[Value, int]) -> "Sizes":
        """The same of a model whose inputs of tokens have those lengths.

        What grows with the tokens is counted at them. All shapes are theirs where the file fixes
        one of them; else shapes stay those of sides of one length, in which tokens are told best.
        """
        exact = Sizes(graph, lengths=lengths)
        out = copy(self if self.static_tokens is None else exact)
        out._exact = exact
        return out

    def counted_by(self, tokens_of: Mapping[Value, int]) -> "Sizes":
        """The same, knowing the tokens of each value; of shapes of one length all have that."""
        if self._exact is None or self.static_tokens is None:
            return self
        out = copy(self)
        out._tokens_of = tokens_of
        return out

    def tokens_of(self, value: Value) -> Ints:
        """Tokens of a sequence in a value: [samples]."""
        own = self._tokens_of.get(value)
        return self.tokens if own is None else np.full(len(self.tokens), own)

    def counted(self, tokens: int) -> int:
        """The tokens of a sequence at which sizes are counted: the file's own, else `tokens`."""
        return tokens if self._exact is not None else self.static_tokens or tokens

    def extended(self, stored: Sequence[Value], nodes: Sequence[Node]) -> "Sizes":
        """The same, and what can be told of further stored values and nodes, in order."""
        out = copy(self)
        out._shape, out._kind = dict(self._shape), dict(self._kind)
        out._content, out._too_long = dict(self._content), set(self._too_long)
        for value in stored:
            out._set_constant(value)
        for node in nodes:
            out._set_outputs(node)
        return out

    @cached_property
    def small(self) -> "Sizes":
        """The same for few tokens, made once for all layers that ask."""
        if self.static_tokens is not None:
            return self
        return Sizes(self._graph, SMALL)

    def shape(self, value: Value | None) -> Ints | None:
        """[rank, samples], -1 = unknown; None if not even the rank is known."""
        return self._shape.get(value) if value is not None else None

    def rank(self, value: Value | None) -> int | None:
        """Number of axes, if known."""
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def kind(self, value: Value | None) -> onnx_ir.DataType | None:
        """The element type: as the file declares it, else as it follows from the nodes."""
        if value is None or value.dtype is not None:
            return None if value is None else value.dtype
        return self._kind.get(value)

    def fixed(self, value: Value | None) -> tuple[int | None, ...] | None:
        """The shape with None for every axis that is unknown or differs between samples."""
        shape = self.shape(value)
        if shape is None:
            return None
        return tuple(int(r[0]) if r[0] >= 0 and np.all(r == r[0]) else None for r in shape)

    def content(self, value: Value | None) -> Content | None:
        """What a small value holds, per sample, if it follows from constants and shapes."""
        return self._content.get(value) if value is not None else None

    def numbers(self, value: Value | None) -> list[int] | None:
        """The content as one list of integers when it is the same for every sample."""
        content = self.content(value)
        if content is None or any(not np.array_equal(c, content[0]) for c in content):
            return None
        return [int(x) for x in np.ravel(content[0])]

    def elements(self, value: Value) -> Ints | None:
        """Number of elements per sample, None if unknown."""
        found = self._counts(value)
        return None if found is None else np.array(found, dtype=np.int64)

    def _counts(self, value: Value) -> list[int] | None:
        """The same in whole numbers, which for a few samples are quicker than an array."""
        shape = self.shape(value)
        if shape is None:
            return None
        counts = [1] * len(self.tokens)
        for dims in shape.tolist():
            if min(dims) < 0:
                return None
            counts = [count * dim for count, dim in zip(counts, dims, strict=True)]
        return counts

    def per_token(self, value: Value) -> int | None:
        """Elements per token where the size grows with the tokens, else None."""
        counts, tokens = self._counts(value), self._together(value)
        if counts is None or 0 in tokens:
            return None
        each = {divmod(count, of) for count, of in zip(counts, tokens, strict=True)}
        number, left = each.pop()
        return number if not each and left == 0 else None

    def _together(self, value: Value) -> list[int]:
        """Tokens of all sequences in a value, per sample."""
        own = self._tokens_of.get(value)
        each = self.tokens.tolist() if own is None else [own] * len(self.tokens)
        return [tokens * self.batch for tokens in each]

    def at(self, value: Value, tokens: int) -> int | None:
        """Elements at `tokens` tokens a sequence, where they are proportional to T^0, T or T^2.

        Of sides of different lengths: at those.
        """
        if self._exact is not None and self._exact is not self:
            return self._exact.at(value, tokens)
        elements = self.elements(value)
        if elements is None or self.static_tokens is not None:
            return None if elements is None else int(elements[0])
        for power in range(3):
            each, left = np.divmod(elements, self.tokens**power)
            if not np.any(left) and np.all(each == each[0]):
                return int(each[0] * tokens**power)
        return None

    def _set_input(self, value: Value) -> None:
        if value.shape is None:
            return
        integer = value.dtype is not None and value.dtype.is_integer()
        by_row = value in self._graph.token_inputs and token_axis_of_input(value) == 0
        rows = []
        for axis, dim in enumerate(value.shape):
            if isinstance(dim, int):
                rows.append(np.full(len(self.tokens), dim))
            elif value in self._lengths and axis == token_axis_of_input(value):
                rows.append(np.full(len(self.tokens), self._lengths[value]))
            elif dim.value is not None and str(dim.value) in self._params:
                rows.append(self._params[str(dim.value)] * np.ones_like(self.tokens))
            elif axis == 0 and by_row:
                rows.append(self.tokens)
            elif axis == 0 and len(value.shape) > 1:
                rows.append(np.ones(len(self.tokens), dtype=np.int64))
            elif integer or str(dim.value) in self._params:
                rows.append(self.tokens)
            else:
                rows.append(np.full(len(self.tokens), UNKNOWN))
        self._shape[value] = np.array(rows, dtype=np.int64).reshape(-1, len(self.tokens))

    def _set_constant(self, value: Value) -> None:
        tensor = value.const_value
        if tensor is None:
            return
        dims = np.array(tensor.shape.numpy(), dtype=np.int64).reshape(-1, 1)
        self._shape[value] = np.repeat(dims, len(self.tokens), axis=1)
        if tensor.size <= MAX_CONTENT and tensor.dtype in READABLE:
            array = np.asarray(tensor.numpy())
            self._content[value] = tuple([array] * len(self.tokens))

    def _set_outputs(self, node: Node) -> None:
        self._set_content(node)
        kinds = [self.kind(v) for v in node.inputs]
        shapes = [self.shape(v) for v in node.inputs]
        contents = [self.content(v) for v in node.inputs]
        found = self._inference.of(node, Known(kinds, shapes, contents, len(self.tokens)))
        if 0 not in found.failed:
            self._too_long |= found.failed
        for value, shape, kind in zip(node.outputs, found.shapes, found.kinds, strict=True):
            if kind:
                self._kind.setdefault(value, onnx_ir.DataType(kind))
            if shape is not None:
                self._shape[value] = shape
            elif value in self._content:
                pass
            elif value.shape is not None and len(value.shape):
                self._shape[value] = self._hint(value)
            if value in self._content and value not in self._shape:
                dims = np.array([c.shape for c in self._content[value]], dtype=np.int64)
                self._shape[value] = dims.reshape(len(self.tokens), -1).T

    def _hint(self, value: Value) -> Ints:
        """What the file itself says about a value's shape."""
        rows = []
        for dim in value.shape or ():
            if isinstance(dim, int):
                rows.append(np.full(len(self.tokens), dim))
            elif str(dim.value) in self._params:
                rows.append(self._params[str(dim.value)] * np.ones_like(self.tokens))
            else:
                rows.append(np.full(len(self.tokens), UNKNOWN))
        return np.array(rows, dtype=np.int64).reshape(-1, len(self.tokens))

    def _set_content(self, node: Node) -> None:
        if node.op_type == "Shape":
            made = self._shape_content(node)
        elif self._arithmetic.knows(node):
            made = self._computed(node)
        else:
            return
        if made and all(m is not None and m.size <= MAX_CONTENT for m in made):
            self._content[node.outputs[0]] = tuple(m for m in made if m is not None)

    def _shape_content(self, node: Node) -> list[Array | None]:
        dims = self.shape(node.inputs[0])
        if dims is None or np.any(dims < 0):
            return []
        return [taken_of_shape(node, column) for column in dims.T]

    def _computed(self, node: Node) -> list[Array | None]:
        """What a node makes of small contents, per sample."""
        given = [self.content(v) for v in node.inputs]
        partial = given[0] is None and node.op_type in ("Gather", "Slice")
        if partial:
            given[0] = self._partial_shape(node.inputs[0])
        if any(c is None for v, c in zip(node.inputs, given, strict=True) if v is not None):
            return []
        made: list[Array | None] = []
        for s in range(len(self.tokens)):
            numbers = self._arithmetic.of(node, [None if c is None else c[s] for c in given])
            unknown = partial and numbers is not None and np.any(numbers < 0)
            made.append(None if unknown else numbers)
        return made

    def _partial_shape(self, value: Value | None) -> Content | None:
        """The content of a whole Shape of which only some axes are known; -1 = unknown."""
        maker = value.producer() if value is not None else None
        if maker is None or maker.op_type != "Shape" or len(maker.attributes):
            return None
        dims = self.shape(maker.inputs[0])
        return None if dims is None else tuple(dims.T)

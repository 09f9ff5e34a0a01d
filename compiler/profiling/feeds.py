"""The arrays a model is fed with: read, cut, and completed where they follow from the rest."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx_ir import Value

from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.inputs import fixed_batch, token_axis_of_input
from compiler.frontend.facts.large import refuse_large
from compiler.frontend.facts.sizes import Sizes
from compiler.profiling.rows import ShortSequencesError, in_sequences
from compiler.profiling.sides import check_sides, side_of_inputs
from ir.arrays import Array, Bools
from ir.errors import InputError
from ir.infile import check_file
from ir.limits import MIB, Limits
from ir.npz import ArchiveLimits, inflated_bytes, read_arrays, read_names
from ir.onnxdoor.load import Source
from ir.workload import Workload

_DIRECTORY = 2**20  # bytes of an archive's member list
_FLOOR = 64 * MIB  # that may be inflated whatever the ratio


def load_inputs(path: Path | str, limits: Limits | None = None) -> dict[str, Array]:
    """Every numeric array of an .npz file, by name; InputError for anything else.

    limits: None: those in force.
    """
    limits, where = limits or Limits.in_force(), str(path)
    size = check_file(Path(path), "an .npz archive")
    some = ArchiveLimits(members=limits.input_arrays, directory_bytes=_DIRECTORY)
    names, total = read_names(path, some), inflated_bytes(path, some)
    if not names:
        raise InputError(where, "no arrays, expected one per model input")
    limits.check("input_bytes", total, where, "its arrays inflated")
    if total > _FLOOR:
        limits.check("input_ratio", -(-total // size), where, f"{total:,} bytes inflated")
    whole = replace(some, bytes=max(total, 1))
    return read_arrays(path, dict.fromkeys(names, "iufb"), whole)


class Feeds:
    """The model's inputs for one run after the other.

    inputs: one array per model input, first axis = sequences; tokens: cut each sequence to its
    first tokens; batch: sequences in a run, where the file does not fix it. A model without an axis
    for sequences may be given rows instead, `each` (by default `tokens`) to a sequence: see
    `in_sequences`; `left_out` rows fill none. Where the workload has sides each input is cut to the
    tokens of its own, whatever `tokens` says. Masks, positions and empty caches that are missing
    are made (`made` names them); any other missing input is an InputError.
    """

    def __init__(
        self,
        graph: Graph,
        workload: Workload,
        inputs: Mapping[str, Array],
        tokens: int | None,
        batch: int = 1,
        each: int | None = None,
    ) -> None:
        self._graph, self._tokens = graph, None if workload.sides else tokens
        self._patches = workload.patches
        if tokens is not None and self._patches not in (None, tokens):
            raise InputError("inputs", f"become {self._patches} tokens, asked for {tokens}")
        missing = [n for n in (name_of(v) for v in graph.token_inputs) if n not in inputs]
        if missing:
            raise InputError(
                "inputs",
                f"no array {missing[0]!r}, found {', '.join(sorted(inputs)) or 'none'}",
                "give one array per model input, first axis = sequences",
            )
        for name in map(name_of, graph.token_inputs):
            if not inputs[name].ndim:
                raise InputError("inputs", f"{name!r}: one number, expected sequences")
        self._lead = graph.token_inputs[0]
        self._sides = workload.sides
        self._side_of = side_of_inputs(graph, self._sides, inputs) if self._sides else {}
        if not self._sides:
            check_sides(graph, inputs)
        given = in_sequences(graph, inputs, each or tokens)
        self._inputs, self._rows, self.left_out = given.inputs, given.cut, given.left_out
        lead = self._inputs[name_of(self._lead)]
        if lead.ndim < 1 or not lead.size:
            raise InputError("inputs", f"{name_of(self._lead)!r}: empty, expected sequences")
        self.sequences = len(lead)
        together = token_axis_of_input(self._lead) > 0  # else there is no axis for sequences
        self._batch = (fixed_batch(graph) or batch) if together else 1
        if self._batch > self.sequences:
            raise InputError(
                "inputs",
                f"{name_of(self._lead)!r}: {self.sequences} sequences, expected at least the "
                f"{self._batch} that run together",
            )
        self._refuse_large(lead)
        self._head_dim = _head_dims(graph, workload)
        self.made = [name_of(v) for v in graph.inputs if name_of(v) not in inputs]

    def _refuse_large(self, lead: Array) -> None:
        """InputError where the model makes too large values of as many tokens as it is given."""
        axis = max(lead.ndim - len(self._lead.shape or ()), 0) + token_axis_of_input(self._lead)
        if self._sides or self._patches is not None or axis >= lead.ndim:
            return
        tokens = self._tokens or int(lead.shape[axis])
        self._graph.source.limits.check("tokens", tokens, "inputs", "tokens of a sequence")
        refuse_large(self._graph, Sizes(self._graph, (tokens,)))

    def groups(self, sequences: int) -> list[range]:
        """The first so many sequences, as those that run together; a last part group is whole.

        A file that fixes the number of sequences in a run leaves out those that fill no run.
        """
        fixed = fixed_batch(self._graph) is not None
        count = sequences - sequences % self._batch if fixed else sequences
        starts = range(0, count, self._batch)
        return [range(first, min(first + self._batch, count)) for first in starts]

    def of(self, group: range) -> dict[str, Array]:
        """All inputs of a run of these sequences, shaped and typed as the model declares them."""
        feeds: dict[str, Array] = {}
        for value in self._graph.inputs:
            name = name_of(value)
            if name in self._inputs:
                feeds[name] = self._cut(value, self._inputs[name], group)
        tokens = self.length(feeds)
        for value in self._graph.inputs:
            name = name_of(value)
            if name not in feeds:
                feeds[name] = self._derived(value, self._asked(name) or tokens, len(group))
            self._check(value, feeds[name])
        return feeds

    def length(self, feeds: Mapping[str, Array]) -> int:
        """Tokens of each sequence of a run; an image is a sequence; of sides the longest one's."""
        if self._patches is not None:
            return self._patches
        if self._sides:
            return max(side.tokens for side in self._sides)
        array, axis = feeds[name_of(self._lead)], token_axis_of_input(self._lead)
        return int(array.shape[axis]) if axis < array.ndim else 1

    def hidden(self, feeds: Mapping[str, Array]) -> tuple[Bools, ...]:
        """Tokens of a run that a mask of the model's hides: of each side bool [sequences, tokens].

        They are zeros in an input that is called a mask; of a longer one, which has the past too,
        the last columns are the run's.
        """
        lead, axis = feeds[name_of(self._lead)], token_axis_of_input(self._lead)
        sequences = int(np.prod(lead.shape[:axis])) if axis else 1
        lengths = [side.tokens for side in self._sides] or [self.length(feeds)]
        out = tuple(np.zeros((sequences, length), dtype=np.bool_) for length in lengths)
        for name, array in feeds.items():
            side = self._side_of.get(name, None if self._sides else 0)
            if "mask" not in name or array.ndim != 2 or array.shape[0] != sequences:
                continue
            if side is not None:
                out[side][:] |= array[:, -lengths[side] :] == 0
        return out

    def _asked(self, name: str) -> int | None:
        """Tokens that are run of each sequence of an input; None: all, or as many as of others."""
        side = self._side_of.get(name)
        return self._tokens if side is None else self._sides[side].tokens

    def _cut(self, value: Value, array: Array, group: range) -> Array:
        """The sequences of a group, with the axes the model wants."""
        name = name_of(value)
        rank = len(value.shape) if value.shape is not None else array.ndim
        if value not in self._graph.token_inputs and _is_whole(value, array):
            return _typed(value, array)
        if array.ndim == rank + 1:
            part = array[group.start]
            if len(group) > 1:
                part = np.concatenate(array[group.start : group.stop])
        elif array.ndim == rank > 0 and len(array) == self.sequences:
            part = array[group.start : group.stop]
        else:
            raise InputError(
                "inputs",
                f"{name!r}: shape {list(array.shape)}, expected {self.sequences} sequences "
                f"of {rank} axes",
            )
        cuttable = value in self._graph.token_inputs or part.ndim == 2 or name in self._rows
        cuttable = cuttable and self._patches is None and value.dtype is not None
        tokens = self._asked(name)
        if tokens is not None and cuttable:
            axis = 1 if name in self._side_of else token_axis_of_input(value)
            axis = 0 if name in self._rows else axis
            if part.shape[axis] < tokens:
                raise ShortSequencesError(name, part.shape[axis], tokens)
            part = np.take(part, np.arange(tokens), axis=axis)
        return _typed(value, part)

    def _derived(self, value: Value, tokens: int, batch: int) -> Array:
        """A mask of ones, positions 0, 1, ..., or an empty cache."""
        name = name_of(value)
        dims = list(value.shape) if value.shape is not None else []
        kind = value.dtype.numpy() if value.dtype is not None else np.dtype(np.float32)
        if "mask" in name and len(dims) == 2:
            return np.ones((batch, tokens), dtype=kind)
        if "position" in name and len(dims) in (1, 2):
            lead = [1 if dims[0] == 1 else batch] if len(dims) == 2 else []
            return np.tile(np.arange(tokens, dtype=kind), (*lead, 1)).reshape(*lead, tokens)
        if np.issubdtype(kind, np.floating) and len(dims) >= 3 and not isinstance(dims[0], int):
            shape = [batch]
            for axis, dim in enumerate(dims[1:], start=1):
                last = axis == len(dims) - 1
                unknown = self._head_dim.get(name, 0) if last else 0
                shape.append(dim if isinstance(dim, int) else unknown)
            return np.zeros(shape, dtype=kind)
        raise InputError(
            "inputs",
            f"no array {name!r} {[str(d) for d in dims]}, and it does not follow from the others",
        )

    def _check(self, value: Value, array: Array) -> None:
        """A fixed axis of the model must have its length."""
        if value.shape is None:
            return
        for axis, dim in enumerate(value.shape):
            if isinstance(dim, int) and array.shape[axis] != dim:
                raise InputError(
                    "inputs",
                    f"{name_of(value)!r}: axis {axis} has {array.shape[axis]}, the model was "
                    f"exported for exactly {dim}",
                    "give that length, or export with a dynamic axis",
                )


def sequences_given(source: Source, inputs: Mapping[str, Array], tokens: int | None) -> int:
    """Sequences in the inputs of a model, by its first input of tokens; 0 where that is missing.

    tokens: of a sequence, where the inputs are rows.
    """
    graph = Graph.of(source)
    name = name_of(graph.token_inputs[0])
    if name not in inputs or not inputs[name].ndim:
        return 0
    return len(in_sequences(graph, inputs, tokens).inputs[name])


def _typed(value: Value, array: Array) -> Array:
    """An array with the element type that the model declares."""
    return array if value.dtype is None else np.asarray(array.astype(value.dtype.numpy()))


def _is_whole(value: Value, array: Array) -> bool:
    """Whether an array is what the model wants of an input, for all sequences alike."""
    return value.shape is not None and tuple(value.shape) == array.shape


def _head_dims(graph: Graph, workload: Workload) -> dict[str, int]:
    """Head size of the attention that reads each cache input."""
    names = {name_of(v) for v in graph.inputs}
    return {n: op.head_dim for op in workload.attentions() for n in op.inputs if n in names}


Say = Callable[[str], object]

"""The tokens that a design is judged by, in the order in which they come."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compiler.options import Options
from compiler.trace import first_window, routing_matrices, routing_of_window
from ir.arrays import Bools, Ints
from ir.errors import InputError
from ir.routing import Routing
from ir.workload import Workload


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokens in order: a prefill, sequence after sequence, or decode steps, step after step.

    sequence, step, place: [tokens], place counts from 0 in its sequence; chosen: {MoE layer: bool
    [tokens, experts]}. prefill: tokens that a sequence has together; decode: the steps these are
    of, 0 for a prefill.
    """

    sequence: Ints
    step: Ints
    place: Ints
    chosen: Mapping[int, Bools]
    prefill: int
    decode: int

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def sequences(self) -> int:
        """How many there are."""
        return len(np.unique(self.sequence))

    @property
    def newest(self) -> Bools:
        """[tokens] whether it is the newest of its sequence in its step."""
        key = self.step * (int(self.sequence.max(initial=0)) + 1) + self.sequence
        last = np.zeros(len(key), dtype=np.bool_)
        last[len(key) - 1 - np.unique(key[::-1], return_index=True)[1]] = True
        return last

    @property
    def job(self) -> Ints:
        """[tokens] the number of its sequence, step after step."""
        change = (np.diff(self.sequence) != 0) | (np.diff(self.step) != 0)
        number: Ints = np.concatenate([[0], np.cumsum(change)])
        return number


def tokens_of(workload: Workload, routing: Routing, options: Options) -> Tokens:
    """The window that `options` ask for: its prefill, or its decode steps where there are some.

    Raises InputError for a model whose inputs have sides.
    """
    if workload.sides:
        raise InputError(
            workload.name,
            "inputs of several sides, expected one",
            "compile it for chips one by one",
        )
    window = first_window(routing, options.score, options.shape)
    traced = routing_matrices(workload, routing)
    chosen = routing_of_window(workload, routing, traced, window)
    place = np.arange(len(window.sequence)) - np.searchsorted(window.sequence, window.sequence)
    decode = options.shape.decode
    order = np.lexsort((place, window.sequence, window.arrival))
    rows = order[window.arrival[order] > 0] if decode else order
    return Tokens(
        window.sequence[rows],
        window.arrival[rows],
        place[rows],
        {layer: matrix[rows] for layer, matrix in chosen.items()},
        options.shape.prefill,
        decode,
    )

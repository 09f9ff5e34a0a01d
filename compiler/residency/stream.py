"""In which order a trace asks for experts."""

from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints, Span
from ir.errors import InputError
from ir.routing import Routing


@dataclass(frozen=True, eq=False)
class Stream:
    """Accesses of experts in order; an *item* is an expert of a layer, numbered layer by layer.

    layer, expert: int64 [items], ids. access: int64 [accesses], the item of each. visit: int64
    [visits + 1], the first access of each visit, then the number of accesses: what a window of
    tokens asks of a layer at once. pair: int64 [pairs], the access that serves each token-expert
    pair. passage: int64 [passages + 1], the first pair of each token at a layer, then the number of
    pairs. tokens: of the trace.
    """

    layer: Ints
    expert: Ints
    access: Ints
    visit: Ints
    pair: Ints
    passage: Ints
    tokens: int

    def __repr__(self) -> str:
        return f"<Stream: {self.items} experts, {self.tokens} tokens, {len(self.access)} accesses>"

    @property
    def items(self) -> int:
        """Experts of all layers."""
        return len(self.layer)

    @property
    def passages(self) -> int:
        """Tokens at a layer, added up over the layers."""
        return len(self.passage) - 1


def stream_of(routing: Routing, tokens: Span, prefill: int = 1) -> Stream:
    """The accesses of a token range, every sequence by itself, in windows of `prefill` tokens.

    Windows go one after another, each through all layers in order; the last one of a sequence may
    be shorter. Whatever number of its tokens go to an expert, a window accesses it once in a layer,
    and its experts in the order of their numbers. One token a window is decoding: token by token,
    layer by layer. Raises InputError for a prefill below 1.
    """
    if prefill < 1:
        raise InputError("prefill", f"{prefill} tokens, expected at least 1")
    start, stop = tokens
    window = _windows(routing.sequence[start:stop], prefill)
    first = np.concatenate([[0], np.cumsum(routing.num_experts)]).astype(np.int64)
    rows, places, items = [], [], []
    for at in range(routing.layers):
        tokens_of, expert = np.nonzero(routing.matrix(at)[start:stop])
        rows.append(np.full(len(tokens_of), at, dtype=np.int64))
        places.append(tokens_of)
        items.append(expert + first[at])
    row, place, item = (np.concatenate(each) for each in (rows, places, items))
    order = np.lexsort((item, place, row, window[place]))
    row, place, item = row[order], place[order], item[order]
    visit = window[place] * routing.layers + row
    asked, pair = np.unique(visit * first[-1] + item, return_inverse=True)
    return Stream(
        layer=np.repeat(routing.layer, routing.num_experts).astype(np.int64),
        expert=np.concatenate([np.arange(n) for n in routing.num_experts.tolist()]),
        access=asked % first[-1],
        visit=_edges(asked // first[-1]),
        pair=pair.astype(np.int64),
        passage=_edges(place * routing.layers + row),
        tokens=stop - start,
    )


def _windows(sequence: Ints, size: int) -> Ints:
    """The window of each token, numbered in order; none holds tokens of two sequences."""
    new: Bools = np.diff(sequence, prepend=sequence[:1] - 1) != 0
    place = np.arange(len(sequence))
    begun = np.maximum.accumulate(np.where(new, place, 0))
    return np.cumsum(new | ((place - begun) % size == 0)) - 1


def _edges(key: Ints) -> Ints:
    """Where each run of equal keys begins, then how many keys there are."""
    begins = np.flatnonzero(np.diff(key, prepend=key[:1] - 1))
    return np.concatenate([begins, [len(key)]]).astype(np.int64)

"""Small streams and problems of residents, drawn at random."""

import numpy as np

from compiler.residency.problem import Problem, problem_of
from compiler.residency.room import Room
from compiler.residency.stream import Stream, stream_of
from ir.routing import Routing


def routing(choices: list[list[list[int]]], experts: int, sequence: list[int]) -> Routing:
    """A trace of `choices` [layers][tokens][k]."""
    layers = len(choices)
    return Routing(
        layer=np.arange(layers) * 2 + 1,  # layers 1, 3, ...
        num_experts=np.full(layers, experts),
        sequence=np.array(sequence),
        choices=np.array(choices, dtype=np.int16),
    )


def drawn_stream(random: np.random.Generator, *, most_tokens: int = 24) -> Stream:
    """1 or 2 layers of 3 to 6 experts, 1 to 3 of them a token, windows of 1 to 3 tokens."""
    layers, experts = int(random.integers(1, 3)), int(random.integers(3, 7))
    k, tokens = int(random.integers(1, 4)), int(random.integers(4, most_tokens))
    heat = 2 * random.gumbel(size=(layers, 1, experts))
    order = np.argsort(heat + random.gumbel(size=(layers, tokens, experts)), axis=2)
    sequence = np.sort(random.integers(0, 3, tokens)).tolist()
    trace = routing(order[:, :, -k:].tolist(), experts, sequence)
    return stream_of(trace, (0, tokens), int(random.integers(1, 4)))


def drawn_problem(random: np.random.Generator) -> Problem:
    """A pool for each layer or for all; experts of one size, or of 1 to 4 each."""
    stream = drawn_stream(random)
    pool = np.unique(stream.layer, return_inverse=True)[1] * int(random.integers(0, 2))
    size = np.ones(stream.items, dtype=np.int64)
    if random.integers(0, 2):
        size = random.integers(1, 5, stream.items)
    every = np.bincount(pool, weights=size).astype(np.int64)
    return problem_of(stream, Room(pool, size, every * int(random.integers(1, 10)) // 10))

"""In which order experts are asked for, and what a choice costs, by hand."""

import numpy as np
import pytest

from compiler.residency.choose import choose
from compiler.residency.problem import problem_of
from compiler.residency.room import Room, room_of
from compiler.residency.rules import greedy, most_used
from compiler.residency.stream import stream_of
from ir.errors import InputError
from tests.compiler.residency.problems import routing

# layers 1 and 3 of 3 experts; tokens 0 and 1 are of one sequence, token 2 of another
TRACE = routing([[[0, 1], [1, 2], [0, 1]], [[2, 0], [2, 1], [0, 2]]], 3, [0, 0, 1])


def test_decoding_goes_token_by_token_and_layer_by_layer() -> None:
    stream = stream_of(TRACE, (0, 3))
    assert stream.access.tolist() == [0, 1, 3, 5, 1, 2, 4, 5, 0, 1, 3, 5]
    assert stream.visit.tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert stream.pair.tolist() == list(range(12))
    assert (stream.layer.tolist(), stream.expert.tolist()) == ([1, 1, 1, 3, 3, 3], [0, 1, 2] * 2)
    assert (stream.passages, stream.tokens) == (6, 3)


def test_a_prefill_asks_once_for_an_expert_of_several_tokens_and_never_crosses_a_sequence() -> None:
    stream = stream_of(TRACE, (0, 3), prefill=8)
    # the first sequence in layer 1: experts 0, 1, 2; in layer 3: 0, 1, 2; then the other token
    assert stream.access.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 3, 5]
    assert stream.visit.tolist() == [0, 3, 6, 8, 10]
    # pairs (0, 1), (1, 2) of layer 1 are of accesses 0, 1 and 1, 2
    assert stream.pair[:4].tolist() == [0, 1, 1, 2]
    assert stream.passage.tolist() == [0, 2, 4, 6, 8, 10, 12]


def test_windows_begin_with_their_sequence() -> None:
    """Sequences of 3 and 2 tokens in windows of 2: tokens 0 and 1, 2 alone, 3 and 4."""
    trace = routing([[[0], [1], [0], [1], [0]]], 2, [0, 0, 0, 1, 1])
    assert stream_of(trace, (0, 5), prefill=2).visit.tolist() == [0, 2, 3, 5]


def test_what_residents_miss_and_who_waits() -> None:
    stream = stream_of(TRACE, (0, 3))
    problem = problem_of(stream, room_of(stream, 0.67))  # 2 of 3 in each layer
    assert problem.uses.tolist() == [2, 3, 1, 2, 1, 3]
    resident = np.array([True, True, False, True, False, True])
    # misses: expert 2 of layer 1 once, expert 1 of layer 3 once; both of token 1
    assert problem.cost(resident, "misses") == 2
    assert problem.cost(resident, "stalls") == 2
    assert problem.fits(resident)
    assert not problem.fits(np.ones(6, dtype=np.bool_))
    together = problem_of(stream_of(TRACE, (0, 3), prefill=2), problem.room)
    assert together.uses.tolist() == [2, 2, 1, 2, 1, 2]
    assert together.cost(resident, "misses") == 2
    assert together.cost(resident, "stalls") == 2


def test_most_used_has_fewest_misses_and_not_fewest_stalls() -> None:
    # 4 tokens {0, 1}, 3 each of {2, 3}, {2, 4}: most used 2 (6) and 0 (4) serve nobody
    choices = [[[0, 1]] * 4 + [[2, 3]] * 3 + [[2, 4]] * 3]
    stream = stream_of(routing(choices, 5, [0] * 10), (0, 10))
    problem = problem_of(stream, room_of(stream, 0.4))
    used = most_used(problem)
    assert np.flatnonzero(used).tolist() == [0, 2]
    assert (problem.cost(used, "misses"), problem.cost(used, "stalls")) == (10, 10)
    # the program's best set of one expert is {2}, so that {0, 1} is never looked at
    program = greedy(problem)
    assert np.flatnonzero(program).tolist() == [2, 3]
    assert problem.cost(program, "stalls") == 7
    best = choose(problem, "stalls")
    assert np.flatnonzero(best.resident).tolist() == [0, 1]
    assert (best.value, best.bound) == (6, 6)
    assert problem.cost(best.resident, "misses") == 12


def test_one_pool_keeps_whole_layers() -> None:
    """Two layers of two experts, both of a token: half of the room serves one layer, or nobody."""
    stream = stream_of(routing([[[0, 1]] * 3, [[0, 1]] * 3], 2, [0] * 3), (0, 3))
    apart = choose(problem_of(stream, room_of(stream, 0.5)), "stalls")
    one = choose(problem_of(stream, room_of(stream, 0.5, "chip")), "stalls")
    assert (apart.value, apart.bound) == (6, 6)
    assert (one.value, one.bound) == (3, 3)
    assert one.resident.tolist() in ([True, True, False, False], [False, False, True, True])


def test_room_is_a_fraction_rounded_down() -> None:
    stream = stream_of(TRACE, (0, 3))
    assert room_of(stream, 0.5).room.tolist() == [1, 1]
    assert room_of(stream, 0.5, "chip").room.tolist() == [3]
    sized = room_of(stream, 0.5, "chip", np.array([1, 1, 1, 4, 4, 4]))
    assert (sized.room.tolist(), sized.uniform) == ([7], False)
    assert sized.without(1).room.tolist() == [3]


@pytest.mark.parametrize("capacity", [0.0, 1.1, float("nan")])
def test_a_capacity_is_a_fraction(capacity: float) -> None:
    with pytest.raises(InputError, match="expected more than 0 and at most 1"):
        room_of(stream_of(TRACE, (0, 3)), capacity)


def test_a_pool_without_room_for_one_expert_is_refused() -> None:
    with pytest.raises(InputError, match="room for 0, expected at least 1: one expert"):
        room_of(stream_of(TRACE, (0, 3)), 0.3)


def test_sizes_count() -> None:
    """Experts of sizes 2, 3, 1 in room 4: what is left of the room holds no part of an expert."""
    stream = stream_of(TRACE, (0, 3))
    one = np.array([2, 3, 1] * 2)
    room = Room(np.array([0, 0, 0, 1, 1, 1]), one, np.array([4, 4]))
    problem = problem_of(stream, room)
    # layer 1: uses 2, 3, 1: kept 3 + 1, in parts 2 + 3 * 2/3. layer 3: uses 2, 1, 3: kept 3 + 2, in
    # parts a third of the last one, rounded up to its one use
    assert problem.lower_bound("misses") == 2 + 0
    assert choose(problem, "misses").value == 2 + 1

"""Expert choice when the last tokens arrive one at a time."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir.errors import InputError
from ir.routing import Routing, top_tokens
from moexbar.files.routing_file import load_routing, save_routing


def routing(scores: list[list[float]], capacity: list[int], decode: int) -> Routing:
    """One layer, one sequence."""
    table = np.array([scores], dtype=np.float32)
    held = np.array([capacity] if decode else capacity, dtype=np.int64)
    return Routing(
        layer=np.array([0]),
        num_experts=np.array([table.shape[2]]),
        sequence=np.zeros(table.shape[1], dtype=np.int64),
        scores=table,
        capacity=held,
        decode=decode,
    )


def test_a_new_token_is_admitted_against_the_scores_so_far() -> None:
    # expert 0 keeps its best 2: token 2 (0.4) is below 0.5 and 0.6, token 3 (0.55) beats 0.5
    found = routing([[0.5], [0.6], [0.4], [0.55]], [2, 2, 2], decode=2).matrix(0)
    # and token 0, which it would push out, stays: what was routed is not routed again
    assert found[:, 0].tolist() == [True, True, False, True]


def test_a_capacity_that_grows_leaves_room() -> None:
    # C = 1 for two tokens, 2 for three: the third is the second best of three
    assert routing([[0.5], [0.3], [0.4]], [1, 2], decode=1).matrix(0)[:, 0].tolist() == [
        True,
        False,
        True,
    ]


def test_ties_go_to_the_earlier_token() -> None:
    assert not routing([[0.5], [0.5]], [1, 1], decode=1).matrix(0)[1, 0]


@given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.integers(1, 12), st.integers(0, 6))
def test_the_prefill_does_not_look_ahead(scores: list[int], together: int, room: int) -> None:
    together = min(together, len(scores) - 1)
    column = np.array(scores, dtype=np.float32)[:, None]
    alone = np.zeros(together, dtype=np.int64)
    all_tokens = np.zeros(len(scores), dtype=np.int64)
    steps = np.full(1 + len(scores) - together, room)
    found = top_tokens(column, all_tokens, steps)
    assert np.array_equal(found[:together], top_tokens(column[:together], alone, steps[:1]))
    for token in range(together, len(scores)):  # by definition: among the best `room` so far
        order = np.argsort(-column[: token + 1, 0], kind="stable")[:room]
        assert found[token, 0] == (token in order)


def test_a_file_keeps_the_steps(tmp_path: Path) -> None:
    kept = routing([[0.5, 0.1], [0.6, 0.2], [0.4, 0.3]], [1, 2], decode=1)
    save_routing(tmp_path / "r.npz", kept)
    found = load_routing(tmp_path / "r.npz")
    assert found.decode == 1
    assert np.array_equal(found.matrix(0), kept.matrix(0))


@pytest.mark.parametrize(
    ("capacity", "decode", "message"),
    [([1, 2], 3, r"capacity: shape \(1, 2\)"), ([1, 1, 1, 1], 3, "decode: 3 of sequences of 3")],
)
def test_steps_that_do_not_fit_are_refused(capacity: list[int], decode: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        routing([[0.5], [0.6], [0.4]], capacity, decode)

"""Places of tokens in their sequences, and which of them a side has."""

import numpy as np

from ir.lengths import in_words
from ir.sides import Side, on_side, positions


def test_places_start_anew_with_each_sequence() -> None:
    assert positions(np.array([4, 4, 4, 7, 9, 9])).tolist() == [0, 1, 2, 0, 0, 1]
    assert positions(np.zeros(0, dtype=np.int64)).tolist() == []


def test_a_side_has_the_first_tokens_of_each_sequence() -> None:
    """Two sequences of three; the second side has two tokens of each."""
    sides, sequence = (Side(("a",), 3), Side(("b",), 2)), np.array([0, 0, 0, 5, 5, 5])
    assert on_side(sides, 0, sequence).all()
    assert on_side(sides, 1, sequence).tolist() == [True, True, False, True, True, False]


def test_all_tokens_where_there_are_no_sides() -> None:
    sequence = np.array([0, 0, 1])
    assert on_side((), 1, sequence).all()
    assert on_side((Side(("a",), 1), Side(("b",), 2)), None, sequence).all()


def test_lengths_as_they_are_typed() -> None:
    assert (in_words(20), in_words((20, 12))) == ("20", "20,12")

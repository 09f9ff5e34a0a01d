"""What a stage is asked is refused where it means nothing, with the option's name."""

from collections.abc import Callable

import pytest

from compiler.options import GroupingOptions, PlacementOptions, Shape, SolverOptions, StackOptions
from ir.errors import InputError

REFUSED: dict[str, Callable[[], object]] = {
    "solver options: time_s: 0, expected a positive number": lambda: SolverOptions(time_s=0),
    "solver options: wall_s: inf, expected a positive": lambda: SolverOptions(wall_s=float("inf")),
    "solver options: workers: 0, expected at least 1": lambda: SolverOptions(workers=0),
    "solver options: seed: -1, expected 0 to 2^31 - 1": lambda: SolverOptions(seed=-1),
    "solver options: layers: 0, expected at least 1": lambda: SolverOptions(layers=0),
    "prefill: 4,0, expected at least 1 each": lambda: Shape.of((4, 0)),
    "--decode 1: sides of different lengths": lambda: Shape.of((4, 2), decode=1),
    "prefill: 0, expected at least 1": lambda: Shape.of(0),
    "batch: 0, expected at least 1": lambda: Shape(1, batch=0),
    "decode: -1, expected at least 0": lambda: Shape(1, decode=-1),
    "group size: layer 2: 0, expected each once": lambda: GroupingOptions(sizes=((2, 0),)),
    "group size: layer 2: 4, expected each once": lambda: GroupingOptions(sizes=((2, 4), (2, 4))),
    "stacks: layers: 0, expected at least 1": lambda: StackOptions(layers=0),
    "stacks: peripheral groups: 0, expected at least 1": lambda: StackOptions(pgs=0),
    "dense copies: 0, expected at least 1": lambda: PlacementOptions(dense_copies=0),
}


@pytest.mark.parametrize("says", REFUSED)
def test_refused(says: str) -> None:
    with pytest.raises(InputError) as found:
        REFUSED[says]()
    assert says in str(found.value)


def test_sides_of_one_length_are_one_number() -> None:
    """Of others the longest is the prefill."""
    assert Shape.of((3, 3), batch=2, decode=1) == Shape(3, 2, 1)
    assert Shape.of((3, 5)) == Shape(5, sides=(3, 5))

"""Of several mappings with stacks the one whose program is the shortest."""

from itertools import permutations

import pytest

from compiler.emit import emit
from compiler.stacks.by_time import shortest
from compiler.timeline import assemble
from compiler.timeline.assemble import searched_ps, timed_ps
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import random_stacks


def test_stacks_are_compared_by_what_a_search_makes_of_them_however_large_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With every draft a large one: the first rule alone would choose the longer of two."""
    chip = small_chip(pg={"stack_limit": 4, "mux": 2})
    model = small_workload(layers=3)
    alone = compile_small(model, chip, tokens=16)
    monkeypatch.setattr(assemble, "MANY", 0)
    tried = []
    for seed in range(14):
        mapping = map_small(model, chip, stacks=random_stacks(alone.mapping, chip, seed))
        drafted = emit(alone.workload, mapping, alone.schedule, chip, alone.passed)
        tried.append((timed_ps(*drafted, chip), searched_ps(*drafted, chip), mapping))
    misled = [
        (better, worse)
        for better, worse in permutations(tried, 2)
        if better[0] > worse[0] and better[1] < worse[1]
    ]
    assert misled
    for better, worse in misled:
        assert shortest(alone, [worse[2], better[2]]) is better[2]
        assert shortest(alone, [better[2], worse[2]]) is better[2]

"""mapping.json: the core of every peripheral group can be had from its runs."""

import numpy as np
import pytest

from moexbar.files.mapping_file import _runs


@pytest.mark.parametrize(
    ("cores", "runs"),
    [
        ([], []),
        ([0], [[0, 1]]),
        ([0, 0, 1, 1, 1, 0], [[0, 2], [1, 3], [0, 1]]),
        ([7, 6, 5], [[7, 1], [6, 1], [5, 1]]),
    ],
)
def test_runs(cores: list[int], runs: list[list[int]]) -> None:
    found = _runs(np.array(cores, dtype=np.int64))
    assert found == runs
    assert [core for core, length in found for _ in range(length)] == cores


def test_a_million_groups_are_few_runs() -> None:
    core = np.arange(1_000_000) // 16  # as placed in order: 16 neighbours on each core
    assert len(_runs(core)) == 62_500

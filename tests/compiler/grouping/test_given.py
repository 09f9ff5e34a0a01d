"""Groups decided elsewhere are taken only where they are groups of this model for this chip."""

import re

import pytest

from compiler.grouping.given import check_given
from ir.certificate import Certificate
from ir.errors import InfeasibleError, InputError
from ir.mapping import Grouping, LayerGrouping
from tests.make import contiguous, small_chip, small_workload

WORKLOAD = small_workload(layers=2, experts=4, k=2)


def grouping(*layers: tuple[int, tuple[tuple[int, ...], ...]]) -> Grouping:
    known = Certificate("as given", 0, 0, "heuristic")
    return Grouping(tuple(LayerGrouping(n, groups, "file", known) for n, groups in layers))


def test_groups_of_the_model_are_taken() -> None:
    check_given(contiguous(WORKLOAD, 2), WORKLOAD, small_chip(pg={"mux": 2}))


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ([(0, ((0, 1), (2, 3)))], "groups of layers 0, expected those of 0, 1"),
        ([], "groups of layers none, expected those of 0, 1"),
        (
            [(0, ((0, 1), (2, 3))), (1, ((0, 1), (2,)))],
            "layer 1: experts 3 missing or too many, expected each of 0 to 3",
        ),
        (
            [(0, ((0, 1), (2, 3), (4, 5))), (1, ((0, 1), (2, 3)))],
            "layer 0: experts 4, 5 missing or too many",
        ),
    ],
)
def test_others_are_refused(
    layers: list[tuple[int, tuple[tuple[int, ...], ...]]], problem: str
) -> None:
    with pytest.raises(InputError, match=re.escape(problem)):
        check_given(grouping(*layers), WORKLOAD, small_chip(pg={"mux": 2}))


TIED = small_workload(layers=2, experts=4, k=2, tied=True)
HALVES = ((0, 1), (2, 3))


@pytest.mark.parametrize("layers", [[(0, HALVES)], [(1, HALVES), (0, HALVES)]])
def test_layers_with_the_same_experts_have_the_same_groups(
    layers: list[tuple[int, tuple[tuple[int, ...], ...]]],
) -> None:
    """The first one's are enough; the other's may say the same."""
    found = check_given(grouping(*layers), TIED, small_chip(pg={"mux": 2}))
    assert [(g.layer, g.groups) for g in found.layers] == [(0, HALVES)]


def test_other_groups_of_the_same_experts_are_refused() -> None:
    layers = [(0, HALVES), (1, ((0, 2), (1, 3)))]
    with pytest.raises(InputError, match="layer 1: other groups than layer 0, on whose experts"):
        check_given(grouping(*layers), TIED, small_chip(pg={"mux": 2}))
    with pytest.raises(InputError, match="groups of layers 1, expected those of 0"):
        check_given(grouping((1, HALVES)), TIED, small_chip(pg={"mux": 2}))


def test_groups_larger_than_mux_do_not_fit() -> None:
    # three crossbars behind a peripheral group, and two at most on this chip
    layers = [(n, ((0, 1, 2), (3,))) for n in (0, 1)]
    with pytest.raises(InfeasibleError, match=r"groups of 3 \(layer 0\), has mux 2") as refused:
        check_given(grouping(*layers), WORKLOAD, small_chip(pg={"mux": 2}))
    short = refused.value
    assert (short.demand.value, short.supply.value, short.unit) == (3, 2, "crossbars")

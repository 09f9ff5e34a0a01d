"""Loads and co-activation of experts by hand."""

from dataclasses import replace

import numpy as np

from ir.routing import Routing
from moexbar.figures.coactivation import coactivation, together
from moexbar.figures.experts import APART, grouped_layers
from moexbar.figures.figure import Shown
from moexbar.figures.loads import loads
from moexbar.report.mapped import GroupedLayer, MappingFile

CHOICES = [[0, 1], [0, 1], [0, 2], [3, 1]]  # tokens of experts 0 to 3: 3, 3, 1, 1


def trace(choices: list[list[int]], experts: int = 4) -> Routing:
    """A trace of one MoE layer, number 5."""
    tokens = len(choices)
    return Routing(
        layer=np.array([5]),
        num_experts=np.array([experts]),
        sequence=np.zeros(tokens, dtype=np.int64),
        choices=np.array([choices], dtype=np.int16),
    )


def grouped(shown: Shown, *groups: tuple[int, ...]) -> MappingFile:
    """A mapping with these groups of layer 5."""
    assert shown.mapping is not None
    return replace(shown.mapping, groups=(GroupedLayer(5, "by hand", groups),))


def test_experts_stand_by_group_the_busiest_first(shown: Shown) -> None:
    (layer,) = grouped_layers(trace(CHOICES), grouped(shown, (2, 3), (0, 1)))
    assert layer.expert.tolist() == [0, 1, 2, 3]
    assert layer.group.tolist() == [1, 1, 0, 0]
    assert layer.tokens.tolist() == [3, 3, 1, 1]
    assert layer.spans() == [(1, 0, 2), (0, 2, 4)]
    assert layer.mean == 8 / 4


def test_copies_share_the_tokens_of_their_expert(shown: Shown) -> None:
    (layer,) = grouped_layers(trace(CHOICES), grouped(shown, (0, 2), (0, 1)))
    found = list(zip(layer.expert.tolist(), layer.tokens.tolist(), strict=True))
    assert found == [(1, 3), (0, 1.5), (0, 1.5), (2, 1), (3, 1)]
    assert layer.group.tolist() == [1, 1, 0, 0, APART]  # expert 3 is in none


def test_without_a_mapping_experts_stand_in_their_order() -> None:
    (layer,) = grouped_layers(trace(CHOICES), None)
    assert layer.expert.tolist() == [0, 1, 2, 3]
    assert set(layer.group.tolist()) == {APART}


def test_pairs_over_those_expected() -> None:
    """Of 4 tokens 2 use 0 and 1; were they independent, 3 x 3 / 4 would."""
    (layer,) = grouped_layers(trace(CHOICES), None)
    found = together(layer)
    assert found.seen.tolist() == [[0, 2, 1, 0], [2, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert found.expected[0].tolist() == [0, 9 / 4, 3 / 4, 3 / 4]


def test_many_experts_are_counted_by_runs_of_places() -> None:
    (layer,) = grouped_layers(trace(CHOICES), None)
    found = together(layer, most=2)
    assert found.first.tolist() == [0, 2, 4]
    assert found.seen.tolist() == [[2 + 2, 1 + 1], [1 + 1, 0]]
    assert found.expected.tolist() == [[2 * 9 / 4, 4 * 3 / 4], [4 * 3 / 4, 2 / 4]]


def test_hundreds_of_experts_stay_small(shown: Shown) -> None:
    random = np.random.default_rng(0)
    picked = np.stack([random.permutation(257)[:8] for _ in range(200)])
    wide = replace(shown, routing=trace(picked.tolist(), experts=257), mapping=None)
    (figure,) = coactivation(wide)
    assert "runs of 5 places" in figure.caption
    assert figure.spec["layer"][0]["data"]["values"].count("\n") <= 52 * 52 + 1
    assert max(map(len, figure.spec["layer"][0]["data"]["values"].splitlines())) < 100


def test_one_expert_a_token_has_no_pairs(shown: Shown) -> None:
    alone = replace(shown, routing=trace([[0, -1], [1, -1]]))
    assert coactivation(alone) == ()
    assert loads(alone) is not None


def test_without_a_trace_there_is_no_picture(shown: Shown) -> None:
    none = replace(shown, routing=None)
    assert (loads(none), coactivation(none)) == (None, ())


def test_the_title_names_the_hottest(shown: Shown) -> None:
    figure = loads(replace(shown, routing=trace(CHOICES), mapping=None))
    assert figure is not None
    assert figure.title == "Load of the experts: at most 1.5 x the mean"
    assert f"({len(CHOICES)})" in figure.caption

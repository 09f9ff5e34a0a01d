"""Each way that a router tells its selection, on 2 tokens and 3 experts small enough to read."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ir.errors import InputError
from ir.router import Router, RouterKind
from ir.selection import (
    ByCapacity,
    ByCombine,
    ByIds,
    ByLogits,
    ByScoresOfIds,
    Capacity,
    Selection,
)
from ir.semantics import combine_weights, own_weight, picked
from ir.workload import Dropped
from ir.workload_text import describe
from tests.make import small_workload

EXPERTS, TOKENS = 3, 2
IDS = np.array([[2, 0], [1, 2]])
GATES = np.array([[0.75, 0.25], [0.5, 0.0]])
SCORES = np.array([[0.25, 0.5, 0.75], [0.5, 0.25, 1.0]])


def router(selection: Selection, kind: RouterKind = "softmax-topk") -> Router:
    return Router(kind, EXPERTS, selection, None if kind == "expert-choice" else 2)


def test_gates_stand_beside_their_ids() -> None:
    """Token 1 gives expert 2 the weight 0, which is no work: it is not selected."""
    chosen, values = router(ByIds("ids", "gates")), {"ids": IDS, "gates": GATES}
    assert chosen.exposed == ("ids", "gates")
    assert combine_weights(chosen, values, TOKENS).tolist() == [[0.25, 0, 0.75], [0, 0.5, 0]]
    assert picked(chosen, values, TOKENS).tolist() == [[True, False, True], [False, True, False]]


def test_ids_without_gates_have_the_weight_1() -> None:
    chosen, values = router(ByIds("ids", None)), {"ids": IDS}
    assert chosen.exposed == ("ids",)
    assert combine_weights(chosen, values, TOKENS).tolist() == [[1, 0, 1], [0, 1, 1]]


def test_weights_are_looked_up_under_their_ids() -> None:
    """Of each token's three scores the two under its ids: token 0 those of experts 2 and 0."""
    chosen, values = router(ByScoresOfIds("ids", "scores")), {"ids": IDS, "scores": SCORES}
    assert chosen.exposed == ("ids", "scores")
    assert combine_weights(chosen, values, TOKENS).tolist() == [[0.25, 0, 0.75], [0, 0.25, 1]]
    values["scores"] = np.zeros_like(SCORES)
    assert not picked(chosen, values, TOKENS).any()


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        ("softmax-topk", [[0.25, 0, 0.5], [0.5, 0.25, 0]]),
        ("topk-softmax", [[1 / 3, 0, 2 / 3], [2 / 3, 1 / 3, 0]]),  # over the two best alone
    ],
)
def test_the_best_logits_are_selected(kind: RouterKind, weights: list[list[float]]) -> None:
    """Softmax of log 1, log 1, log 2 is 1/4, 1/4, 1/2; 0.999999 is the 1 that is not selected."""
    logits = np.log([[1, 0.999999, 2], [2, 1, 0.999999]])
    chosen, values = router(ByLogits("logits"), kind), {"logits": logits}
    assert chosen.exposed == ("logits",)
    found = combine_weights(chosen, values, TOKENS)
    assert np.allclose(found, weights, atol=1e-6)
    assert np.array_equal(picked(chosen, values, TOKENS), found != 0)


def test_of_equal_logits_the_highest_ids_are_selected() -> None:
    found = picked(router(ByLogits("logits")), {"logits": np.zeros((TOKENS, EXPERTS))}, TOKENS)
    assert found.tolist() == [[False, True, True]] * TOKENS


def test_combine_weights_are_summed_over_places() -> None:
    """Two places of each expert: token 0 has one of expert 0 and both of expert 2, token 1 none."""
    places = np.zeros((TOKENS, EXPERTS, 2))
    places[0, 0, 1], places[0, 2] = 0.25, 0.25
    chosen, values = router(ByCombine("combine")), {"combine": places}
    assert chosen.exposed == ("combine",)
    assert combine_weights(chosen, values, TOKENS).tolist() == [[0.25, 0, 0.5], [0, 0, 0]]
    assert picked(chosen, values, TOKENS).tolist() == [[True, False, True], [False] * 3]
    chosen = router(ByCombine("combine", "gates"))
    values["gates"] = np.array([[0.5], [1.0]])
    assert chosen.exposed == ("combine", "gates")
    assert combine_weights(chosen, values, TOKENS).tolist() == [[0.125, 0, 0.25], [0, 0, 0]]


def test_experts_take_their_best_tokens() -> None:
    """One of two tokens each: experts 0 and 2 score token 1 higher, expert 1 token 0."""
    chosen = router(ByCapacity("scores", Capacity(constant=1)), "expert-choice")
    assert (chosen.exposed, chosen.capacity) == (("scores",), Capacity(constant=1))
    found = combine_weights(chosen, {"scores": SCORES}, TOKENS)
    assert found.tolist() == [[0, 0.5, 0], [0.5, 0, 1]]
    assert np.array_equal(picked(chosen, {"scores": SCORES}, TOKENS), found != 0)


def test_capacity_belongs_to_expert_choice_and_top_k_to_the_others() -> None:
    choice = ByCapacity("scores", Capacity(constant=1))
    cases: tuple[tuple[RouterKind, Selection, int | None, str], ...] = (
        ("expert-choice", ByIds("ids", None), None, "expert-choice' with capacity None"),
        ("argmax", choice, 1, "argmax' with capacity Capacity"),
        ("expert-choice", choice, 1, "expert-choice with top-k 1, expected none"),
        ("argmax", ByIds("ids", None), None, "top-k None of 3 experts, expected 1 <= k <= 3"),
        ("argmax", ByIds("ids", None), 4, "top-k 4 of 3 experts, expected 1 <= k <= 3"),
    )
    for kind, selection, top_k, problem in cases:
        with pytest.raises(InputError, match=re.escape(problem)):
            Router(kind, EXPERTS, selection, top_k)


@pytest.mark.parametrize(
    ("dropped", "gates", "own"),
    [
        ("nothing", "gates", [0, 0]),
        ("token", "gates", [0, 1]),
        ("weighted token", "gates", [0, 0.5]),
        ("weighted token", None, [0, 1]),  # no gate that stands apart
    ],
)
def test_what_a_token_of_no_expert_becomes(
    dropped: Dropped, gates: str | None, own: list[float]
) -> None:
    """Token 0 has expert 2, token 1 none; the gates of both are given, 0.25 and 0.5."""
    values = {"mask": np.array([[0, 0, 1], [0, 0, 0]]), "gates": np.array([[0.25], [0.5]])}
    (layer,) = small_workload(layers=1, experts=EXPERTS).moe_layers
    chosen = replace(router(ByCombine("mask", gates)), top_k=1)
    layer = replace(layer, router=chosen, dropped=dropped)
    combine = combine_weights(chosen, values, TOKENS)
    assert own_weight(layer, combine, values).tolist() == own
    assert layer.passes_on(np.array([1, 0])).tolist() == [False, dropped != "nothing"]
    assert layer.adds_tokens == (dropped != "nothing")
    assert ("top-1 or itself" in describe(layer)) == (dropped != "nothing")

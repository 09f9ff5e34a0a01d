"""Models that a chip serves: their weights as whole numbers, their names, and what is each's."""

from pathlib import Path
from typing import Any

import pytest

import moexbar as mx
from ir.errors import InputError
from moexbar.designs.served import Served, names_of, parts_of, served_of
from moexbar.files.traces.reading import Reading
from moexbar.given import Given
from tests.paths import MODELS, TINY

TWO = [MODELS / "token_choice.onnx", TINY / "model.onnx"]


def served(weights: Any = (), inputs: Any = None, routing: Any = None) -> tuple[Served, ...]:
    given = Given(None, Reading(), None, 0, trust_traced=False)
    return served_of(TWO, weights, inputs, routing, given)


def test_weights_are_parts_of_all_runs() -> None:
    """In lowest terms; where that are more than a thousand, rounded to thousandths, at least one.

    1 in 3000 is a thousandth at least, beside 1000 others.
    """
    assert parts_of((), 3) == (1, 1, 1)
    assert parts_of((0.7, 0.3), 2) == (7, 3)
    assert parts_of((5,), 1) == (1,)
    assert parts_of((2, 4), 2) == (1, 2)
    assert parts_of((1e-4, 1), 2) == (1, 1000)
    assert parts_of((0.3333, 0.6667), 2) == (333, 667)


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        ((1,), "1 of 2 models, expected one of each"),
        ((1, 2, 3), "3 of 2 models, expected one of each"),
        ((1, 0), "0, expected more than 0"),
        ((1, -0.5), "-0.5, expected more than 0"),
        ((1, float("nan")), "nan, expected a number"),
        ((1, True), "True, expected a number"),
    ],
)
def test_what_is_no_weight_is_named(weights: tuple[float, ...], found: str) -> None:
    with pytest.raises(InputError, match=f"design: weights: {found}"):
        parts_of(weights, 2)


def test_models_are_named_by_as_much_as_tells_them_apart() -> None:
    assert names_of([Path("x/a.onnx"), Path("x/b.onnx")]) == ("a", "b")
    assert names_of([Path("x/m.onnx"), Path("y/m.onnx")]) == ("x/m.onnx", "y/m.onnx")
    assert names_of([Path("m.onnx"), Path("m.onnx")]) == ("m 1", "m 2")
    assert names_of([Path("gpt/config.json"), Path("tiny/model.onnx")]) == ("gpt", "tiny")


def test_inputs_are_of_each_or_one_for_all() -> None:
    a, b = MODELS / "heldout.npz", TINY / "inputs.npz"
    assert [one.given.inputs for one in served(inputs=a)] == [a, a]
    assert [one.given.inputs for one in served(inputs=[a])] == [a, a]
    assert [one.given.inputs for one in served(inputs=[a, b])] == [a, b]
    mixed = served(inputs=[a, None], routing=[None, "synthetic"])
    assert [(one.given.inputs, one.given.routing) for one in mixed] == [
        (a, None),
        (None, "synthetic"),
    ]
    assert [one.name for one in mixed] == ["token_choice", "tiny"]
    with pytest.raises(InputError, match="design: inputs: 3 of 2 models, expected one for all"):
        served(inputs=[a, a, a])
    with pytest.raises(InputError, match="design: routing: 3 of 2 models"):
        served(routing=["synthetic"] * 3)


def test_a_perplexity_is_of_one_model() -> None:
    with pytest.raises(InputError, match="design: perplexity: several models, expected one"):
        mx.design(TWO, demands=mx.Demands(area=100, perplexity=5))
    with pytest.raises(InputError, match="no model, expected at least one"):
        mx.design([], demands=mx.Demands(area=100))

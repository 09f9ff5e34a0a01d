"""What quantises rounds as the model does where its inputs are right, and only there."""

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends.functional.rounding import (
    as_the_experts_round,
    as_the_model_rounds,
    note_halves,
    tokens_changed,
)
from backends.functional.runs import Run
from ir.activation import Composed
from ir.formula import ITSELF, Formula, Step
from ir.semantics import activate

RUN = Run({}, np.arange(3).reshape(1, 3))
X: Any = np.array([[[0.5, 4.0], [1.5, 4.0], [2.5, 4.0]]])  # one sequence of three tokens
WHOLE = {"x": X, "q": np.array([[[0, 4], [2, 4], [2, 4]]]), "scale": np.array(1.0)}
TAKEN = {name: WHOLE[name] for name in ("q", "scale")}


def rounded(x: Any, q: Any, scale: float = 1.0) -> dict[str, Any]:
    made = {"q": np.array(q), "scale": np.array(scale)}
    return as_the_model_rounds(RUN, {"x": np.array(x)}, made, WHOLE, 1e-4)


def test_half_way_is_as_the_model_has_it() -> None:
    """0.5 rounds to 0 (to the even one), 0.50001 to 1: within 1e-4 of the largest, 4."""
    found = rounded([[[0.50001, 4], [1.5, 4], [2.5, 4]]], [[[1, 4], [2, 4], [2, 4]]], 1.00001)
    assert found["q"].tolist() == WHOLE["q"].tolist()
    assert found["scale"] == 1.0


def test_a_wrong_input_is_not_made_right() -> None:
    """The second token is off by 0.5; the first is the model's, the scale of all is ours."""
    found = rounded([[[0.50001, 4], [1.0, 4], [2.5, 4]]], [[[1, 4], [1, 4], [3, 4]]], 1.5)
    assert found["q"].tolist() == [[[0, 4], [1, 4], [2, 4]]]
    assert found["scale"] == 1.5


@dataclass
class Layer:
    """As much of an operator that is carried out as rounding looks at."""

    activation: Composed
    outputs: tuple[str, ...] = ("y",)


class Machine:
    """Three tokens with one result each, which the model has as 1, 2, 3."""

    def __init__(self) -> None:
        self.program = SimpleNamespace(token=np.arange(3))
        self.halves: set[tuple[int, int]] = set()
        self.rounded: set[tuple[int, int]] = set()
        self.whole = [{"y": np.array([[1.0], [2.0], [3.0]])}]

    def to_rows(self, _: str, found: Any) -> Any:
        return found[0]


def test_an_expert_half_way_between_two() -> None:
    """Round of (0.4, 0.5000001, 2.5): only the first is far from a half. The third is off by 1."""
    whole = Formula((Step("Round", (0,)),))
    at: Any = SimpleNamespace(index=4, op=Layer(Composed(whole)), m=Machine())
    x: Any = np.array([[0.4], [0.5000001], [2.5]], dtype=np.float32)
    note_halves(at, np.arange(3), x, partial(activate, at.op.activation))
    assert at.m.halves == {(4, 1), (4, 2)}
    out: Any = np.array([[1.1], [2.1], [4.0]])
    as_the_experts_round(at, np.arange(3), out, 1e-4)
    assert out.tolist() == [[1.1], [2.0], [4.0]]  # at most 5 % of 3 are taken for a step
    assert at.m.rounded == {(4, 1)}


def test_what_no_half_changed_is_not_counted() -> None:
    """The second token is noted, and its result is the model's up to 1e-4 of 3 anyway."""
    at: Any = SimpleNamespace(index=4, op=Layer(Composed(ITSELF)), m=Machine())
    at.m.halves = {(4, 1)}
    out: Any = np.array([[1.0], [2.0002], [3.0]])
    as_the_experts_round(at, np.arange(3), out, 1e-4)
    assert out.tolist() == [[1.0], [2.0], [3.0]]
    assert at.m.rounded == set()


def test_tokens_that_an_operator_rounds_otherwise_are_counted() -> None:
    """The first token's 1 became 0; one scale for all tokens that is another changes each."""
    made = {"q": np.array([[[1, 4], [2, 4], [2, 4]]]), "scale": np.array(1.0)}
    assert tokens_changed(RUN, made, TAKEN, 1e-4).tolist() == [0]
    made["scale"] = np.array(1.1)
    assert tokens_changed(RUN, made, TAKEN, 1e-4).tolist() == [0, 1, 2]


def test_an_expert_that_does_not_round() -> None:
    at: Any = SimpleNamespace(index=4, op=Layer(Composed(ITSELF)), m=Machine())
    note_halves(at, np.arange(3), np.full((3, 1), 0.5), partial(activate, at.op.activation))
    assert at.m.halves == set()

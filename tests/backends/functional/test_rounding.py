"""What quantises rounds as the model does where its inputs are right, and only there."""

from typing import Any

import numpy as np

from backends.functional.nodes import Run
from backends.functional.rounding import as_the_model_rounds

RUN = Run({}, np.arange(3).reshape(1, 3))
X: Any = np.array([[[0.5, 4.0], [1.5, 4.0], [2.5, 4.0]]])  # one sequence of three tokens
WHOLE = {"x": X, "q": np.array([[[0, 4], [2, 4], [2, 4]]]), "scale": np.array(1.0)}


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

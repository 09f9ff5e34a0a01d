"""Operators that draw numbers are refused by name; those that only could are not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model, survey_model
from ir.errors import InputError
from tests.compiler.frontend import models as m


def model(folder: Path, noise: Callable[[m.Graph, str], str]) -> Path:
    """A dense block whose input goes through `noise`."""

    def block(g: m.Graph, x: str) -> str:
        return m.linear(g, noise(g, x), m.D, m.D)

    g = m.transformer(m.Graph(), [block])
    return g.model(folder / "m.onnx", m.LOGITS)


def dropout(training: bool | None, ratio: float | None = 0.5) -> Callable[[m.Graph, str], str]:
    """A Dropout with its ratio and mode stored; None leaves them out."""

    def noise(g: m.Graph, x: str) -> str:
        given = [x] if ratio is None else [x, g.constant(ratio, np.float32)]
        if training is not None:
            given = [*[*given, ""][:2], g.constant(training, np.bool_)]
        return g("Dropout", *given)

    return noise


def added(op: str) -> Callable[[m.Graph, str], str]:
    return lambda g, x: g("Add", x, g(op, x))


DRAWING = {
    "normal": (added("RandomNormalLike"), "RandomNormalLike"),
    "uniform": (added("RandomUniformLike"), "RandomUniformLike"),
    "bernoulli": (lambda g, x: g("Mul", x, g("Bernoulli", g("Sigmoid", x))), "Bernoulli"),
    "of a shape": (lambda g, x: g("Add", x, g("RandomNormal", shape=[m.D])), "RandomNormal"),
    "dropout": (dropout(training=True), "Dropout"),
    "dropout of the usual ratio": (dropout(training=True, ratio=None), "Dropout"),
}
QUIET = {
    "dropout": dropout(training=False),
    "dropout without a mode": dropout(training=None),
    "dropout of nothing": dropout(training=True, ratio=0.0),
}


@pytest.mark.parametrize("name", DRAWING)
def test_drawing(name: str, tmp_path: Path) -> None:
    noise, op = DRAWING[name]
    path = model(tmp_path, noise)
    with pytest.raises(InputError, match=f"random operators: {op} '[^']+'; export .* eval mode"):
        read_model(path, prove=False)
    workload, _ = survey_model(path)
    (note,) = [n for n in workload.notes if n.startswith("random operators")]
    assert note.endswith("; export the model in eval mode")


@pytest.mark.parametrize("name", QUIET)
def test_not_drawing(name: str, tmp_path: Path) -> None:
    workload = read_model(model(tmp_path, QUIET[name]), prove=False)
    assert not [n for n in workload.notes if "random" in n]


def test_a_dropout_that_knows_no_training(tmp_path: Path) -> None:
    """From opset 7 to 11 a Dropout is the identity, whatever its ratio."""
    g = m.Graph()
    g("MatMul", g("Dropout", "x", ratio=0.9), g.weight(m.D, m.D))
    g.nodes[-1].output[0] = "y"
    shape: m.Dims = ["rows", m.D]
    path = g.model(tmp_path / "m.onnx", {"y": shape}, {"x": (1, shape)}, opset=11)
    assert not [n for n in read_model(path, prove=False).notes if "random" in n]


def test_how_many_there_are(tmp_path: Path) -> None:
    twice = added("RandomNormalLike")
    with pytest.raises(InputError, match=r"RandomNormalLike '\S+' and 1 more;"):
        read_model(model(tmp_path, lambda g, x: twice(g, twice(g, x))), prove=False)

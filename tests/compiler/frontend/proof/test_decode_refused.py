"""Models that cannot go on token by token, and what of them says so."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from compiler.frontend import survey_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend import odd_experts as odd


def test_scores_of_all_tokens(tmp_path: Path, runtime: Runtime) -> None:
    """Experts choose by a softmax over the tokens, which each that comes later changes."""
    block = odd.choice_of(odd.half_of_them, among=0)
    _, decode = survey_model(m.write(tmp_path, [block]), runtime=runtime)
    assert (decode.kind, decode.reason.partition(": ")[2]) == (
        "no",
        "a token's score depends on other tokens",
    )


def scaled_by_length(g: m.Graph, scores: str, length: str) -> str:
    return g("Div", scores, g("Cast", length, to=TensorProto.FLOAT))


def as_they_are(g: m.Graph, scores: str, length: str) -> str:
    return scores


@pytest.mark.parametrize("scale", [as_they_are, scaled_by_length])
def test_rows_that_change_with_the_number_of_tokens(
    scale: Callable[[m.Graph, str, str], str], tmp_path: Path, runtime: Runtime
) -> None:
    """Scores over the number of tokens: what the first of them give changes with each more."""
    g = m.Graph()
    at = m.positions(g)
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), "input_ids")
    q, k, v = (m.linear(g, x, g.d, g.d) for _ in range(3))
    scores = scale(g, g("MatMul", q, g("Transpose", k, perm=[0, 2, 1])), at.length)
    masked = g("Where", at.mask, scores, g.constant(-np.inf, np.float32))
    out = m.linear(g, g("MatMul", g("Softmax", masked, axis=-1), v), g.d, g.d)
    g.nodes.append(helper.make_node("MatMul", [out, g.weight(g.d, g.vocab)], ["logits"]))
    _, decode = survey_model(g.model(tmp_path / "m.onnx", m.LOGITS), runtime=runtime)
    if scale is as_they_are:
        assert decode.kind == "derived"
    else:
        assert (decode.kind, "change when a token is added" in decode.reason) == ("no", True)


def test_attention_of_the_inputs_themselves(tmp_path: Path, runtime: Runtime) -> None:
    """No product makes keys and values, so nothing is known to be kept of a token."""
    g = m.Graph()
    length = g("Squeeze", g("Shape", "x", start=1, end=2))
    place = g("Range", g.constant(0), length, g.constant(1))
    row, column = (g("Unsqueeze", place, g.constant([n])) for n in (0, 1))
    scores = g("MatMul", "x", g("Transpose", "x", perm=[0, 2, 1]))
    low = g.constant(-np.inf, np.float32)
    masked = g("Where", g("LessOrEqual", row, column), scores, low)
    out = g("MatMul", g("Softmax", masked, axis=-1), "x")
    g.nodes.append(helper.make_node("MatMul", [out, g.weight(g.d, g.d)], ["y"]))
    dims: m.Dims = [1, "tokens", g.d]
    path = g.model(tmp_path / "m.onnx", {"y": dims}, {"x": (1, dims)})
    workload, decode = survey_model(path, runtime=runtime)
    assert len(list(workload.attentions())) == 1
    assert decode.kind == "no"
    assert decode.reason.endswith("its projections were not recognised")

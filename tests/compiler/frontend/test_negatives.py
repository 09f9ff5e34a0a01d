"""Models without MoE layers: nothing is found that is not there, and the answer is of use."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import helper, numpy_helper

from compiler.frontend import read_model, survey_model
from ir.onnxdoor.processes.session import Runtime
from moexbar.__main__ import main
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def topk_at_the_end(g: m.Graph) -> None:
    """A language model that returns its five best tokens: a TopK on a projection, no experts."""
    g.nodes[-1].output[0] = "scores"
    g.nodes.append(helper.make_node("TopK", ["scores", g.constant([5])], ["logits", "best"]))


def argmax_at_the_end(g: m.Graph) -> None:
    """A tagger: the class of every token, as a number."""
    g.nodes[-1].output[0] = "scores"
    best = g("ArgMax", "scores", axis=-1, keepdims=1)
    g.nodes.append(helper.make_node("Cast", [best], ["logits"], to=1))


def soft_mixture(g: m.Graph, x: str) -> str:
    """All experts, weighted by a softmax: nothing is selected."""
    scores, total = g("Softmax", m.linear(g, x, m.D, m.EXPERTS), axis=-1), ""
    for e in range(m.EXPERTS):
        column = g("Slice", scores, g.constant([e]), g.constant([e + 1]), g.constant([2]))
        part = g("Mul", m.gated(g, x), column)
        total = g("Add", total, part) if total else part
    return total


def sparse_hidden(g: m.Graph, x: str) -> str:
    """A feed-forward block that keeps the eight largest of its hidden values: k-winners-take-all.

    A TopK on a projection of the token, and a matrix after it, but no choice among matrices.
    """
    hidden = m.linear(g, x, m.D, m.HIDDEN)
    best, ids = g.many("TopK", hidden, g.constant([8]), outputs=2, axis=-1)
    zeros = g("Mul", hidden, g.constant(0.0, np.float32))
    kept = g("ScatterElements", zeros, ids, best, axis=-1)
    return m.linear(g, g("Relu", kept), m.HIDDEN, m.D)


def codebook(g: m.Graph, x: str) -> str:
    """Vector quantisation: the nearest of 16 stored vectors, by ArgMax of a product."""
    scores = m.linear(g, x, m.D, 16)
    return m.linear(
        g, g("Gather", g.weight(16, m.D), g("ArgMax", scores, axis=-1, keepdims=0)), m.D, m.D
    )


def plain_model(folder: Path, end: Callable[[m.Graph], None] | None, *blocks: m.Ffn) -> Path:
    g = m.transformer(m.Graph(), blocks)
    if end is not None:
        end(g)
    return g.model(folder / "m.onnx", {"logits": None})  # type: ignore[dict-item]


CASES: dict[str, tuple[Callable[[m.Graph], None] | None, m.Ffn]] = {
    "dense": (None, m.gated),
    "language model with TopK": (topk_at_the_end, m.plain),
    "tagger with ArgMax": (argmax_at_the_end, m.plain),
    "soft mixture": (None, soft_mixture),
    "k winners": (None, sparse_hidden),
    "vector quantisation": (None, codebook),
}


@pytest.mark.parametrize("name", CASES)
def test_no_layer_is_found(name: str, tmp_path: Path, runtime: Runtime) -> None:
    end, block = CASES[name]
    path = plain_model(tmp_path, end, block, block)
    workload, _ = survey_model(path)
    assert workload.moe_layers == ()
    assert workload.suspects == ()
    assert len(list(workload.dense())) >= 8  # the attention projections are placed
    assert compare(runtime, path, m.token_ids()) < 1e-5


@pytest.mark.parametrize("name", CASES)
def test_the_command_says_so(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end, block = CASES[name]
    assert main(["model", str(plain_model(tmp_path, end, block))]) == 0
    said = capsys.readouterr()
    assert "no MoE layer: nothing selects among feed-forward experts" in said.out
    assert "Traceback" not in said.out + said.err


CNN = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 3, 8, 8] image) => (float[1, 10] scores)
<float[4, 3, 3, 3] kernel, float[256, 10] head> {
    features = Conv <pads = [1, 1, 1, 1]> (image, kernel)
    positive = Relu (features)
    flat = Flatten (positive)
    scores = MatMul (flat, head)
}"""

STRANGE = """<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
net (int64[1, T] input_ids) => (float[1, T, 16] y)
<float[32, 16] table, float[16, 16] w> {
    x = Gather (table, input_ids)
    mixed = acme.Blend <strength = 3> (x)
    y = MatMul (mixed, w)
}"""


def from_text(folder: Path, text: str) -> Path:
    """The model with its weights filled in."""
    model = onnx.parser.parse_model(text)
    random = np.random.default_rng(0)
    for info in model.graph.value_info:
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        values = random.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, info.name))
    onnx.save(model, folder / "text.onnx")
    return folder / "text.onnx"


@pytest.mark.parametrize(
    ("text", "words"),
    [(CNN, "no MoE layer"), (STRANGE, "operator acme.Blend is not known (1 in all)")],
    ids=["convolutions", "unknown operator"],
)
def test_other_networks(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], runtime: Runtime
) -> None:
    path = from_text(tmp_path, text)
    assert main(["model", str(path)]) == 0
    said = capsys.readouterr()
    assert words in " ".join((said.out + said.err).split())
    assert read_model(path, runtime=runtime).moe_layers == ()
    # asking for its routing is a mistake of the user's: one line, exit code 2
    np.savez(tmp_path / "x.npz", input_ids=np.zeros((1, 4), dtype=np.int64))
    code = main(
        ["profile", str(path), "--inputs", str(tmp_path / "x.npz"), "-o", str(tmp_path / "r.npz")]
    )
    said = capsys.readouterr()
    assert code == 2
    assert "no MoE layer was recognised" in said.err
    assert not (tmp_path / "r.npz").exists()

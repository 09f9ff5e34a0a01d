"""Every curve of `curves` is read as what it is, proven by a run, and executed."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from backends.functional import compare as compare_execution
from backends.functional import execute
from compiler.frontend import read_model
from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph
from compiler.frontend.moe import experts
from compiler.frontend.proof.reach import usual_size
from ir.activation import AnyActivation, usual
from ir.formula import Formula
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Workload
from tests.backends.functional.small import TOKENS, case_of
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.moe.curves import CASES, num


def wide(act: m.Act) -> m.Ffn:
    """down(act(up(x))), whose sums reach about 15 either way, so that limits are met."""

    def expert(g: m.Graph, x: str) -> str:
        up = g("MatMul", x, g.weight(g.d, g.hidden, scale=1.0))
        return m.linear(g, act(g, up), g.hidden, g.d)

    return m.dense_masked(expert=expert)


def write(folder: Path, blocks: list[m.Ffn], opset: int = 24) -> Path:
    g = m.transformer(m.Graph(), blocks)
    return g.model(folder / "m.onnx", m.LOGITS, opset=opset)


def seen(workload: Workload) -> list[tuple[str, str, bool]]:
    """(activation, proof, gated) of every MoE layer."""
    return [(layer.activation.text, layer.proof, layer.gated) for layer in workload.moe_layers]


@pytest.mark.parametrize("first", range(0, len(CASES), 12))
def test_curves(first: int, tmp_path: Path, runtime: Runtime) -> None:
    """Twelve curves in a model, a layer each: read, compiled and carried out on crossbars."""
    cases = list(CASES.values())[first : first + 12]
    path = write(tmp_path, [wide(act) for act, _ in cases])
    case = case_of(runtime, path, m.token_ids(TOKENS), None, 1, TOKENS)
    workload = case.executable.workload
    assert workload.notes == ()
    assert seen(workload) == [(text, "run", False) for _, text in cases]
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5
    assert compare_execution(execute(case, runtime)).worst < 1e-4


def gated(act: m.Act, up: m.Act, order: str) -> m.Ffn:
    """down(act(gate(x)) * up'(up(x))). order: of the factors, or one matrix cut in halves."""

    def expert(g: m.Graph, x: str) -> str:
        if order == "halves":
            both = g("MatMul", x, g.weight(g.d, 2 * g.hidden, scale=1.0))
            first, second = g.many("Split", both, outputs=2, axis=-1, num_outputs=2)
        else:
            first, second = (g("MatMul", x, g.weight(g.d, g.hidden, scale=1.0)) for _ in range(2))
        sides = [act(g, first), up(g, second)]
        if order == "up first":
            sides.reverse()
        return m.linear(g, g("Mul", *sides), g.hidden, g.d)

    return m.dense_masked(expert=expert)


def identity(g: m.Graph, x: str) -> str:
    return x


GATED: dict[str, tuple[m.Act, m.Act, str]] = {
    "glu": (CASES["Sigmoid"][0], identity, "sigmoid"),
    "reglu": (m.relu, identity, "relu"),
    "geglu": (m.erf_gelu, identity, "gelu"),
    "geglu by tanh": (m.tanh_gelu, identity, "gelu-tanh"),
    "softplus gate": (CASES["softplus by Abs"][0], identity, "softplus"),
    "elu gate": (CASES["elu by Where"][0], identity, "elu(0.5)"),
    "bilinear": (identity, identity, "identity"),
    "up clipped": (
        m.silu,
        lambda g, x: g("Clip", x, num(g, -2), num(g, 2)),
        "composed(sigmoid, Mul | Max, Min)",
    ),
    "up halved": (m.silu, lambda g, x: g("Mul", x, num(g, 0.5)), "composed(sigmoid, Mul | Mul)"),
    "gate clipped after": (
        lambda g, x: g("Clip", m.silu(g, x), num(g, -2), num(g, 2)),
        identity,
        "composed(sigmoid, Mul, Max, Min)",
    ),
    "both curved": (m.silu, CASES["Tanh"][0], "composed(sigmoid, Mul | tanh)"),
}


@pytest.mark.parametrize("order", ["gate first", "up first", "halves"])
def test_gates(order: str, tmp_path: Path, runtime: Runtime) -> None:
    """A layer for each gate."""
    path = write(tmp_path, [gated(act, up, order) for act, up, _ in GATED.values()])
    workload = read_model(path, runtime=runtime)
    assert workload.notes == ()
    assert seen(workload) == [(text, "run", True) for _, _, text in GATED.values()]
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_factors_in_another_order(tmp_path: Path, runtime: Runtime) -> None:
    """(up * gate) * sigmoid(gate) / 2, negated: silu of the gate, times -up / 2."""

    def expert(g: m.Graph, x: str) -> str:
        gate, up = (m.linear(g, x, g.d, g.hidden) for _ in range(2))
        both = g("Mul", g("Mul", up, gate), g("Sigmoid", gate))
        return m.linear(g, g("Neg", g("Div", both, num(g, 2))), g.hidden, g.d)

    path = write(tmp_path, [m.dense_masked(expert=expert)])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.activation.text, layer.proof) == ("composed(sigmoid, Mul | Mul)", "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5


def off(by: float, curve: str) -> m.Act:
    """A curve plus a little of x * x / (1 + x * x), which is small at 0 and flat far out."""

    def act(g: m.Graph, x: str) -> str:
        square = g("Mul", x, x)
        little = g("Mul", g("Div", square, g("Add", square, num(g, 1))), num(g, by))
        return g("Add", CASES[curve][0](g, x), little)

    return act


@pytest.mark.parametrize(
    "curve", ["Relu", "Elu", "HardSwish", "Softplus", "silu", "gelu by Erf", "mish", "Tanh"]
)
def test_nearly_a_curve_is_not_that_curve(curve: str, tmp_path: Path, runtime: Runtime) -> None:
    """1e-5 off, which no run tells within its tolerance of 3e-4: still read as its own nodes."""
    path = write(tmp_path, [wide(off(1e-5, curve))])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert layer.activation.text.startswith("composed(")
    assert layer.proof == "run"
    assert compare(runtime, path, m.token_ids()) < 1e-6


UNKNOWN: dict[str, tuple[m.Act, str]] = {
    "PRelu with a slope per column": (
        lambda g, x: g("PRelu", x, g.weight(g.hidden, scale=0.1)),
        "of nodes [PRelu] is no curve that is known: PRelu has a slope of its own for every column",
    ),
    "scale per column": (
        lambda g, x: g("Relu", g("Mul", x, g.weight(g.hidden, scale=1.0))),
        "of nodes [Mul, Relu] is no curve that is known: 'c",
    ),
    "softmax": (
        lambda g, x: g("Mul", x, g("Softmax", x, axis=-1)),
        "of nodes [Softmax, Mul] is no curve that is known: Softmax is no element-wise operator",
    ),
    "sum of the vector": (
        lambda g, x: g("Mul", x, g("ReduceSum", x, g.constant([-1]), keepdims=1)),
        "of nodes [ReduceSum, Mul] is no curve that is known: ReduceSum is no element-wise",
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_no_curve_is_named(name: str, tmp_path: Path, runtime: Runtime) -> None:
    act, words = UNKNOWN[name]
    workload = read_model(write(tmp_path, [wide(act)]), runtime=runtime)
    assert workload.moe_layers == ()
    (note,) = workload.notes
    assert f"stays digital: the expert's activation {words}" in note
    assert "does not compute the layer" not in note


@pytest.mark.parametrize(("limit", "size"), [(12.0, "8.13"), (100.0, "65")])
def test_a_limit_beyond_the_first_inputs_is_met(
    limit: float, size: str, tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clip(0, limit) taken for relu: of sums of size 1 none shows it, of 8 or 64 times that some.

    Sums of 16 normal products of size 1/4 are of size 1; the largest of 37 * 24 * 4 are about 4.
    The norm's weights, 1 +- 0.1, have a root mean square of 1.01.
    """

    def blind(formula: Formula) -> AnyActivation:
        return usual("relu")

    monkeypatch.setattr(experts, "activation_of", blind)
    act = m.dense_masked(
        expert=lambda g, x: m.plain(g, x, lambda g, y: g("Clip", y, num(g, 0), num(g, limit)))
    )
    workload = read_model(write(tmp_path, [act]), runtime=runtime)
    assert workload.moe_layers == ()
    words = f"relu experts for small vectors only: for elements of size {size} it is off by"
    assert words in workload.notes[0]


@pytest.mark.parametrize("norm", ["nodes", "one node", "none"])
def test_usual_size(norm: str, tmp_path: Path) -> None:
    """The root mean square of (4, 4, 4, -4, 0, 0, 0, 0): sqrt(8); of no norm 1."""
    scale = np.array([4, 4, 4, -4, 0, 0, 0, 0], dtype=np.float32)
    g = m.Graph(d=8)
    if norm == "nodes":
        out = g("Mul", "x", g.constant(scale, np.float32))
    elif norm == "one node":
        out = g("LayerNormalization", "x", g.constant(scale, np.float32))
    else:
        out = g("Add", "x", g.constant(scale, np.float32))
    g.nodes.append(helper.make_node("Relu", [g("Reshape", out, g.constant([-1, 8]))], ["y"]))
    path = g.model(tmp_path / "m.onnx", {"y": ["tokens", 8]}, {"x": (1, [1, "tokens", 8])})
    facts = Facts.of(Graph.of(open_model(path)))
    entry = facts.graph.nodes[-1].inputs[0]
    assert entry is not None
    assert usual_size(facts, entry) == pytest.approx(1.0 if norm == "none" else 8**0.5)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("relu", "relu"), ("gelu", "gelu-tanh"), ("silu", "silu"), ("identity", "identity")],
)
def test_activation_of_an_operator(kind: str, text: str, tmp_path: Path, runtime: Runtime) -> None:
    """Those that ONNX Runtime's MoE has without a gate; its gelu is the one by tanh."""
    path = write(tmp_path, [m.contract(activation=kind)])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.activation.text, layer.proof) == (text, "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_activation_that_no_operator_has(tmp_path: Path) -> None:
    """A curve that is known, but not as an activation_type."""
    path = write(tmp_path, [m.contract(activation="elu")])
    (suspect,) = read_model(path, prove=False).suspects
    words = "activation_type 'elu' is not known, expected relu, gelu, silu, identity, geglu, swiglu"
    assert suspect.reason.startswith(words)


@pytest.mark.parametrize("by", ["MatMul", "Einsum"])
@pytest.mark.parametrize("flat", [False, True])
def test_biases_of_a_stack(by: str, flat: bool, tmp_path: Path, runtime: Runtime) -> None:
    """[E, T, F] + [E, 1, F] before the curve, stored so or as [E, F], and after down likewise."""

    def product(g: m.Graph, x: str, rows: int, columns: int, equation: str) -> str:
        matrices = g.weight(g.experts, rows, columns)
        if by == "MatMul":
            return g("MatMul", x, matrices)
        return g("Einsum", x, matrices, equation=equation)

    def bias(g: m.Graph, width: int) -> str:
        if not flat:
            return g.weight(g.experts, 1, width, scale=0.5)
        return g("Unsqueeze", g.weight(g.experts, width, scale=0.5), g.constant([1]))

    def block(g: m.Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = m.softmax_topk(g, tokens)
        shape = g("Concat", g("Shape", tokens, end=1), g.constant([g.experts]), axis=0)
        zeros = g("Expand", g.constant(0.0, np.float32), shape)
        combine = g("ScatterElements", zeros, ids, gates, axis=1)
        weight = g("Unsqueeze", g("Transpose", combine, perm=[1, 0]), g.constant([-1]))
        up = product(g, tokens, g.d, g.hidden, "td,edf->etf")
        acted = g("Elu", g("Add", up, bias(g, g.hidden)))
        down = product(g, acted, g.hidden, g.d, "etf,efd->etd")
        out = g("Add", bias(g, g.d), down)
        total = g("ReduceSum", g("Mul", out, weight), g.constant([0]), keepdims=0)
        return g("Reshape", total, g("Shape", x))

    path = write(tmp_path, [block])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.activation.text, layer.form, layer.proof) == ("elu", "dense-batched", "run")
    assert len({e.up.bias for e in layer.experts}) == 1
    assert None not in {e.up.bias for e in layer.experts}
    assert compare(runtime, path, m.token_ids()) < 1e-5

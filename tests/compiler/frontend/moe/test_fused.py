"""Operators that are a whole layer: routers that read something else, and odd attributes."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import MoELayer
from tests.backends.functional.small import TOKENS, case_of, run_case
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def operator(g: m.Graph, x: str, logits: str) -> str:
    """com.microsoft::MoE on `x`, routed by `logits`."""
    fc1, fc2 = g.weight(g.experts, g.hidden, g.d), g.weight(g.experts, g.d, g.hidden)
    chosen = {"k": g.top, "activation_type": "silu", "normalize_routing_weights": 1}
    return g("MoE", x, logits, fc1, "", fc2, domain="com.microsoft", **chosen)


def pre_gated(g: m.Graph, x: str) -> str:
    """The router reads the block's input, the experts a norm of it."""
    return operator(g, m.rms_norm(g, x), m.router_logits(g, m.flat(g, x)))


def by_two_matrices(g: m.Graph, x: str) -> str:
    hidden = g("Tanh", m.linear(g, m.flat(g, x), g.d, g.d))
    return operator(g, m.rms_norm(g, x), m.router_logits(g, hidden))


def by_table(g: m.Graph, x: str) -> str:
    """Logits that are looked up by a token's id: no vector is scored."""
    table = g.constant(g.random.standard_normal((g.vocab, g.experts)), np.float32)
    found = g("Gather", table, "input_ids")
    return operator(g, x, g("Reshape", found, g.constant([-1, g.experts])))


ROUTERS: dict[str, tuple[m.Ffn, bool]] = {  # and whether the matrix is the layer's own
    "pre-gated": (pre_gated, True),
    "two matrices": (by_two_matrices, False),
    "table": (by_table, False),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_router_beside_the_experts(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """The layer has two inputs: the experts' vectors, and what the router has."""
    block, own = ROUTERS[name]
    path = m.write(tmp_path, [block])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert isinstance(layer, MoELayer)
    assert (layer.proof, len(layer.inputs), layer.router.experts) == ("run", 2, m.EXPERTS)
    assert (layer.router.projection is not None) == own
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5
    done = run_case(runtime, case_of(runtime, path, m.token_ids(TOKENS), None, 1, TOKENS))
    assert done.culprit == -1
    assert done.worst < 2e-6


def stack(g: m.Graph, outer: int, inner: int, *, wrapped: bool = False) -> str:
    """Matrices [experts, outer, inner]; wrapped: made by a node."""
    found = g.weight(g.experts, outer, inner)
    return g("Identity", found) if wrapped else found


def contract(fc1: m.Act | None = None, fc3: m.Act | None = None, **attributes: object) -> m.Ffn:
    """com.microsoft::MoE; fc1, fc3: make these inputs of a graph and the token vectors."""

    def block(g: m.Graph, x: str) -> str:
        logits, up = m.router_logits(g, m.flat(g, x)), stack(g, g.hidden, g.d)
        given = [x, logits, fc1(g, x) if fc1 else up, "", stack(g, g.d, g.hidden)]
        given += ["", fc3(g, x)] if fc3 else []
        usual = {"k": g.top, "activation_type": "silu", "normalize_routing_weights": 1}
        return g("MoE", *given, domain="com.microsoft", **(usual | attributes))

    return block


def own_choice(g: m.Graph, x: str) -> str:
    """DeepSeek-V3's choice, handed on as the logarithms of what it weighs, else a low number."""
    scores = g("Sigmoid", m.router_logits(g, m.flat(g, x)))
    biased = g("Add", scores, g.weight(g.experts, scale=0.1))
    _, ids = g.many("TopK", biased, g.constant([g.top]), outputs=2, axis=-1)
    best = g("Log", g("GatherElements", scores, ids, axis=-1))
    low = g("Expand", g.constant(-1e9, np.float32), g("Shape", scores))
    return operator(g, x, g("ScatterElements", low, ids, best, axis=1))


def test_a_router_that_selects_before_the_operator(tmp_path: Path, runtime: Runtime) -> None:
    """Its TopK is the layer's own, and no second layer is looked for by it."""
    path = m.write(tmp_path, [own_choice])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.router.kind, layer.router.top_k, layer.proof) == ("sigmoid-topk", 2, "run")
    assert (workload.suspects, workload.notes) == ((), ())
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_the_sparse_mixer_is_ignored_as_by_the_runtime(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [contract(use_sparse_mixer=1)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert layer.proof == "run"
    assert workload.notes[0].endswith("use_sparse_mixer is ignored by ONNX Runtime on CPU")
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_gates_that_only_other_builds_run(tmp_path: Path, runtime: Runtime) -> None:
    """FC3 is the up projection, FC1 the gate's; the runtime here has no kernel for it: a note."""
    path = m.write(tmp_path, [contract(fc3=lambda g, x: stack(g, g.hidden, g.d))])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.gated, layer.activation.text) == ("structure", True, "silu")
    first, *others = layer.experts
    assert first.gate is not None
    tensors = {(e.gate.tensor, e.up.tensor) for e in layer.experts if e.gate is not None}
    assert len(tensors) == 1
    assert first.gate.tensor != first.up.tensor
    assert [e.up.index for e in (first, *others)] == [0, 1, 2, 3]
    assert any("this machine's ONNX Runtime does not run it" in note for note in workload.notes)


def with_attribute(block: m.Ffn, **attributes: int) -> m.Ffn:
    """What a block writes, its last node with these attributes."""

    def changed(g: m.Graph, x: str) -> str:
        out = block(g, x)
        g.nodes[-1].attribute.extend(helper.make_attribute(n, v) for n, v in attributes.items())
        return out

    return changed


def made_scales(g: m.Graph, x: str) -> str:
    out = m.quantised_contract(4)(g, x)
    node = g.nodes[-1]
    g.nodes.insert(-1, helper.make_node("Identity", [node.input[3]], ["scales"]))
    node.input[3] = "scales"
    return out


REFUSED: dict[str, tuple[m.Ffn, str]] = {
    "made by a node": (
        contract(lambda g, x: stack(g, g.hidden, g.d, wrapped=True)),
        "input 2 is not a stored tensor of three axes",
    ),
    "no fc1": (contract(lambda g, x: ""), "fc1 or fc2 is not an initialiser"),
    "too many columns": (
        contract(lambda g, x: stack(g, g.hidden + 4, g.d)),
        "fc1 28 x 16 and fc2 16 x 24 do not fit a width of 16",
    ),
    "clipped after": (
        contract(swiglu_limit_after_activation=1),
        "swiglu_limit_after_activation: clipped after the activation",
    ),
    "prepacked": (
        with_attribute(m.quantised_contract(4), weights_prepacked=1),
        "weights_prepacked: the bytes are in the order of a CUDA kernel",
    ),
    "scales made by a node": (
        made_scales,
        "its weights are packed in a way that is not read",
    ),
    "no token vectors": (
        lambda g, x: g("Add", x, operator(g, "", m.router_logits(g, m.flat(g, x)))),
        "input or router_probs is missing",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_operator_may_not_have(name: str, tmp_path: Path) -> None:
    """Read as where weights are too large to run: the node stays digital, with the reason."""
    block, words = REFUSED[name]
    workload = read_model(m.write(tmp_path, [block]), prove=False)
    assert workload.moe_layers == ()
    assert [s.reason for s in workload.suspects] == [words]
    assert f"MoE) stays digital: {words}" in workload.notes[0]

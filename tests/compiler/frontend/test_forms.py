"""Every form of MoE layer, read from a model written for it and proven by running it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from ir.selection import Capacity
from ir.workload import MoELayer
from tests.compiler.frontend import models as m
from tests.compiler.frontend import places as p
from tests.compiler.frontend.execute import compare


@dataclass(frozen=True)
class Case:
    """A block, and what must be read from it."""

    block: m.Ffn
    form: str
    router: str
    activation: str = "silu"
    top_k: int | None = m.TOP
    capacity: Capacity | None = None
    shared: int = 0
    gated: bool = True
    weight_on: str = "output"
    tolerance: float = 1e-5


CASES = {
    "masked": Case(m.dense_masked(), "dense-masked", "softmax-topk"),
    "masked plain": Case(
        m.dense_masked(m.topk_softmax, m.plain), "dense-masked", "topk-softmax", "relu", gated=False
    ),
    "masked sigmoid with shared expert": Case(
        m.dense_masked(m.sigmoid_topk, shared=m.gated), "dense-masked", "sigmoid-topk", shared=1
    ),
    "masked, experts written in another order": Case(
        m.dense_masked(order=[2, 0, 3, 1]), "dense-masked", "softmax-topk"
    ),
    # floor(2 T / 4): in lowest terms 1 / 2
    "expert choice": Case(
        m.expert_choice(),
        "expert-choice-list",
        "expert-choice",
        top_k=None,
        capacity=Capacity(None, 1, 2),
    ),
    "expert choice, stacked, at least 3": Case(
        m.expert_choice(stacked=True, minimum=3),
        "expert-choice-stacked",
        "expert-choice",
        top_k=None,
        capacity=Capacity(None, 1, 2, 3),
    ),
    "gather batched": Case(m.gather_batched(), "gather-batched", "softmax-topk"),
    "gather batched, interleaved, with biases": Case(
        m.gather_batched(m.topk_softmax, oai=True), "gather-batched", "topk-softmax", "swiglu-oai"
    ),
    "two picks of one": Case(m.gather_batched(m.argmax_twice), "gather-batched", "argmax"),
    "sorted and split": Case(m.grouped, "grouped", "topk-softmax"),
    "sorted and split, with biases": Case(partial(m.grouped, bias=True), "grouped", "topk-softmax"),
    "sorted and split, matrices apart, biases stacked": Case(
        partial(m.grouped, bias=True, apart=True), "grouped", "topk-softmax"
    ),
    "two picks with places": Case(p.gshard, "dense-batched", "softmax-topk", "relu", gated=False),
    "two picks with places, experts apart": Case(
        p.gshard_whole, "per-expert-gather", "softmax-topk"
    ),
    "per expert": Case(m.per_expert_gather, "per-expert-gather", "softmax-topk"),
    "contract": Case(m.contract(), "MoE", "topk-softmax", gated=False),
    "contract, not renormalised": Case(
        m.contract(0, "relu"), "MoE", "softmax-topk", "relu", gated=False
    ),
    "group limited": Case(m.gather_batched(m.group_limited), "gather-batched", "sigmoid-topk"),
    "two-step router": Case(m.dense_masked(m.two_step), "dense-masked", "topk-softmax"),
    "equal masks": Case(m.equal_masks, "dense-masked", "topk-softmax"),
    "weights on the input": Case(
        m.llama4, "dense-batched", "sigmoid-topk", top_k=1, shared=1, weight_on="input"
    ),
    "switch": Case(m.switch, "per-expert-gather", "argmax", "relu", top_k=1, gated=False),
    "expert choice by Einsum": Case(
        m.einsum_choice,
        "expert-choice-stacked",
        "expert-choice",
        "relu",
        top_k=None,
        capacity=Capacity(None, 1, 2),
        gated=False,
    ),
    "outputs stacked before they are weighted": Case(
        m.stacked_outputs, "dense-masked", "topk-softmax"
    ),
    "outputs stacked, experts written in another order": Case(
        partial(m.stacked_outputs, order=[3, 1, 2, 0]), "dense-masked", "topk-softmax"
    ),
    "contract, 4 bits": Case(m.quantised_contract(4), "QMoE", "topk-softmax", tolerance=1e-4),
    "contract, 8 bits": Case(m.quantised_contract(8), "QMoE", "topk-softmax", tolerance=1e-4),
    "contract swiglu": Case(m.swiglu_contract, "MoE", "topk-softmax"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_form(case: Case, tmp_path: Path, runtime: Any) -> None:
    path = m.write(tmp_path, [m.gated, case.block])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert isinstance(layer, MoELayer)
    router = layer.router
    assert (layer.form, router.kind) == (case.form, case.router)
    assert layer.activation.text == case.activation
    assert (router.experts, router.top_k, router.capacity) == (4, case.top_k, case.capacity)
    assert (layer.d_model, layer.d_expert, layer.gated) == (m.D, m.HIDDEN, case.gated)
    assert layer.weight_on == case.weight_on
    assert (len(layer.shared), layer.layer, layer.width) == (case.shared, 1, m.D)
    assert (workload.notes, layer.proof) == ((), "run")
    # every operator runs on its own and the model's outputs come out: nothing is missing or extra
    assert compare(runtime, path, m.token_ids()) < case.tolerance
    if case.form in ("expert-choice-list", "grouped", "per-expert-gather"):
        assert compare(runtime, path, m.token_ids(), by_nodes=True) < case.tolerance


def test_expert_index_follows_the_router_not_the_order(tmp_path: Path, runtime: Runtime) -> None:
    """Expert e is the one whose output is multiplied by column e."""
    straight = read_model(
        m.write(tmp_path, [m.dense_masked(order=[0, 1, 2, 3])], "a"), runtime=runtime
    )
    turned = read_model(
        m.write(tmp_path, [m.dense_masked(order=[2, 0, 3, 1])], "b"), runtime=runtime
    )
    first = [e.up.tensor for e in straight.moe_layers[0].experts]
    second = [e.up.tensor for e in turned.moe_layers[0].experts]
    # both list experts by column; the tensors were created in graph order, one more constant each
    assert first == sorted(first, key=lambda name: int(name[1:]))
    assert [second.index(name) for name in sorted(second, key=lambda n: int(n[1:]))] == [2, 0, 3, 1]


def test_gated_shared_expert(tmp_path: Path, runtime: Any) -> None:
    path = m.write(tmp_path, [m.dense_masked(shared=m.gated_shared)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    (gate,) = layer.shared_gates
    assert len(layer.shared) == 1
    assert gate is not None
    assert (gate.rows, gate.columns) == (m.D, 1)
    assert workload.notes == ()
    # without the sigmoid gate the shared expert's output would be about twice too large
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_half_precision_weights_are_read_through_their_cast(tmp_path: Path, runtime: Any) -> None:
    path = m.write(tmp_path, [m.dense_masked()], half=True)
    workload = read_model(path, runtime=runtime)
    weights = [d.weight for d in workload.dense()]
    weights += [e.last for e in workload.moe_layers[0].experts]
    assert {w.bits for w in weights} == {16}
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_two_moe_layers_in_their_decoder_layers(tmp_path: Path, runtime: Runtime) -> None:
    workload = read_model(
        m.write(tmp_path, [m.dense_masked(), m.gated, m.dense_masked()]), runtime=runtime
    )
    assert [layer.layer for layer in workload.moe_layers] == [0, 2]
    assert workload.layers == 3


def test_missing_expert_is_not_mapped(tmp_path: Path, runtime: Any) -> None:
    """Three of four experts present (a traced export): digital, with the reason and the node."""
    path = m.write(tmp_path, [m.dense_masked(order=[0, 1, 3])])
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers == ()
    (suspect,) = workload.suspects
    assert suspect.traced
    assert "3 feed-forward experts, the router has 4 outputs" in workload.notes[0]
    assert "TopK" in workload.notes[0]
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_factor_on_the_sum(tmp_path: Path, runtime: Any) -> None:
    """The weighted sum times 2.5: the layer's scale."""

    def block(g: m.Graph, x: str) -> str:
        out = m.dense_masked()(g, x)
        return g("Mul", out, g.constant(2.5, "float32"))

    path = m.write(tmp_path, [block])
    layer = read_model(path, runtime=runtime).moe_layers[0]
    assert (layer.scale, len(layer.outputs)) == (2.5, 1)
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_traced_loop_is_diagnosed(tmp_path: Path, runtime: Any) -> None:
    """Right for this input (all experts are hit), but the note says when it is not."""
    path = m.write(tmp_path, [m.traced_loop])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.router.experts, layer.proof) == (4, "traced")
    assert "the i-th expert that was hit" in workload.notes[0]
    assert compare(runtime, path, m.token_ids(tokens=40)) < 1e-5


def test_traced_stack_is_diagnosed(tmp_path: Path, runtime: Any) -> None:
    """All matrices are there, but block i takes those of the i-th expert that was hit."""
    path = m.write(tmp_path, [m.traced_stack])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.form, layer.proof, layer.router.experts) == ("per-expert-gather", "traced", 4)
    assert compare(runtime, path, m.token_ids(tokens=40)) < 1e-5

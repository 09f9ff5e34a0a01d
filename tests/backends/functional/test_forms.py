"""Programs of models of several forms compute what ONNX Runtime computes.

Float32 sums in another order differ by some 1e-7 of the largest value; 1e-4 would be a wrong term.
"""

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from compiler.profiling.profile import load_inputs
from ir.onnxdoor.processes.session import Runtime
from tests.backends.functional.small import TOKENS, case_of, run_case, small_case
from tests.compiler.frontend import models as m
from tests.make import small_chip
from tests.paths import MODELS

FORMS: dict[str, tuple[m.Ffn, dict[str, Any]]] = {
    "two layers": (m.dense_masked(), {"layers": 2}),
    "shared expert with a gate": (m.dense_masked(shared=m.gated_shared), {}),
    "scaled sum, shared expert": (m.dense_masked(m.sigmoid_topk, shared=m.gated), {}),
    "interleaved, clipped, with biases": (m.gather_batched(m.topk_softmax, oai=True), {}),
    "stacked biases": (lambda g, x: m.grouped(g, x, bias=True), {}),
    "no gate matrix": (m.contract(0, "relu"), {}),
    "packed in 4 bits": (m.quantised_contract(4), {}),
    "expert choice": (m.expert_choice(), {}),
    "weights on the input": (m.llama4, {}),
    "tokens dropped": (m.switch, {}),
    "two sequences": (m.dense_masked(), {"sequences": 2}),
    "two sequences, expert choice": (m.expert_choice(), {"sequences": 2}),
    "one token": (m.dense_masked(), {"tokens": 1}),
    "sums on digital units, biases": (
        m.gather_batched(m.topk_softmax, oai=True),
        {"chip": small_chip(accumulate={"where": "dpu"})},
    ),
    "sums in a tree": (
        m.gather_batched(m.topk_softmax, oai=True),
        {"chip": small_chip(accumulate={"order": "tree"}, crossbar={"rows": 3})},
    ),
    "four behind a peripheral group, one input buffer": (
        m.dense_masked(),
        {"chip": small_chip(pg={"mux": 4, "input_buffers": 1})},
    ),
    "every slot loads": (m.dense_masked(), {"chip": small_chip(pg={"retain_input": False})}),
    "ragged tiles packed": (
        m.dense_masked(),
        {"chip": small_chip(crossbar={"rows": 40, "columns": 96}), "pack": True},
    ),
    "replicas": (m.dense_masked(), {"replicas": 2, "groups": 3, "grouping": "cp-sat"}),
}


@pytest.mark.parametrize("name", FORMS)
def test_computes_the_model(name: str, tmp_path: Path, runtime: Runtime) -> None:
    block, options = FORMS[name]
    done = run_case(runtime, small_case(runtime, tmp_path, block, **options))
    assert done.culprit == -1
    assert done.worst < 2e-6
    assert [d.name for d in done.outputs] == ["logits"]
    assert len(done.layers) == options.get("layers", 1)


@pytest.mark.parametrize("one_after_the_other", [True, False])
def test_two_moe_layers_in_a_decoder_layer(
    one_after_the_other: bool, tmp_path: Path, runtime: Runtime
) -> None:
    """Each has a layer, and so a region, of its own: 0 and 1, and those of the next block 2, 3."""

    def block(g: m.Graph, x: str) -> str:
        first = m.dense_masked()(g, x)
        second = m.rms_norm(g, g("Add", x, first)) if one_after_the_other else x
        return g("Add", first, m.gather_batched()(g, second))

    case = small_case(runtime, tmp_path, block, layers=2)
    assert [layer.layer for layer in case.executable.workload.moe_layers] == [0, 1, 2, 3]
    done = run_case(runtime, case)
    assert done.culprit == -1
    assert done.worst < 2e-6


def test_a_product_of_an_input(tmp_path: Path, runtime: Runtime) -> None:
    """Frames of sound [1, tokens, 5] go through a matrix first, not to a table.

    Router and experts read what it gives, so it is neither's.
    """
    g = m.Graph()
    x = m.linear(g, "frames", 5, m.D)
    x = g("Add", x, m.dense_masked()(g, x))
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(m.D, 7)], ["letters"]))
    frames: m.Dims = [1, "tokens", 5]
    path = g.model(
        tmp_path / "m.onnx",
        {"letters": [1, "tokens", 7]},
        {"frames": (TensorProto.FLOAT, frames)},
    )
    given = {"frames": g.random.standard_normal((1, TOKENS, 5)).astype("float32")}
    done = run_case(runtime, case_of(runtime, path, given, small_chip(), 1, TOKENS))
    assert done.culprit == -1
    assert done.worst < 2e-6


def test_a_model_in_16_bits_is_computed_in_32(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked()])
    m.in_16_bits(path)
    done = run_case(
        runtime, case_of(runtime, path, m.token_ids(TOKENS, 1), small_chip(), 1, TOKENS)
    )
    assert done.culprit == -1
    assert done.worst < 2e-6
    (own,) = done.runtime  # ONNX Runtime rounds every value to 11 bits
    assert 1e-5 < own.relative < 3e-2


def test_onnx_runtime_does_not_run_bfloat16(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked()])
    m.in_16_bits(path, TensorProto.BFLOAT16)
    done = run_case(
        runtime, case_of(runtime, path, m.token_ids(TOKENS, 1), small_chip(), 1, TOKENS)
    )
    assert done.culprit == -1
    assert done.worst < 2e-6
    assert not done.runtime


@pytest.mark.parametrize("name", ["token_choice", "expert_choice"])
def test_shipped(name: str, runtime: Runtime) -> None:
    from moexbar.chips import load_chip

    inputs = {"input_ids": load_inputs(MODELS / "heldout.npz")["input_ids"][:2, :8]}
    case = case_of(runtime, MODELS / f"{name}.onnx", inputs, load_chip("hermes-mux2"), 1, 8)
    done = run_case(runtime, case)
    assert done.culprit == -1
    assert done.worst < 2e-6
    assert [d.layer for d in done.layers] == [1, 3]

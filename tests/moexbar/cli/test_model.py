"""`moexbar model`, and what the other commands do with models that are not what they seem."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compiler.frontend import read_model
from moexbar.__main__ import main
from tests.compiler.frontend import models as m


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def survey(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    code, out, _ = run(capsys, "model", path, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def test_token_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = m.write(tmp_path, [m.gated, m.dense_masked(shared=m.gated_shared)])
    found = survey(capsys, path)
    (layer,) = found["moe_layers"]
    wanted = {
        "name": "L1.moe",
        "experts": 4,
        "top_k": 2,
        "router": "softmax-topk",
        "d_model": m.D,
        "d_expert": m.HIDDEN,
        "gated": True,
        "activation": "silu",
        "shared_experts": 1,
        "form": "dense-masked",
        "capacity": None,
        "shared_gated": True,
        "proof": "run",
    }
    assert {key: layer[key] for key in wanted} == wanted
    # dynamic length, causal masks from positions: keys and values of past tokens may be kept
    assert found["decode"] == "derived"
    # attention: q, k, v, out, twice; the dense feed-forward: gate, up, down; the head
    assert len(found["dense"]) == 4 + 3 + 4 + 1
    assert found["suspected"] == []
    code, out, _ = run(capsys, "model", path)
    assert code == 0
    assert "softmax-topk" in out


def test_expert_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (layer,) = survey(capsys, m.write(tmp_path, [m.expert_choice(minimum=3)]))["moe_layers"]
    assert (layer["top_k"], layer["router"]) == (None, "expert-choice")
    # floor(2 T / 4) in lowest terms, at least 3
    assert layer["capacity"] == {"constant": None, "numerator": 1, "denominator": 2, "minimum": 3}


def test_missing_experts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three of four experts: named with its node; compiled only on request, and then digital."""
    path = m.write(tmp_path, [m.dense_masked(order=[0, 1, 3])])
    (suspect,) = survey(capsys, path)["suspected"]
    assert suspect["operator"] == "TopK"
    assert suspect["traced"]
    assert "3 feed-forward experts, the router has 4 outputs" in suspect["reason"]
    code, _, err = run(capsys, "compile", path, "-o", tmp_path / "out", "--prefill", 8)
    assert code == 2
    assert "--trust-traced" in err


def test_traced_loop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compiled where every expert has a token; refused where one has none, in words."""
    path = m.write(tmp_path, [m.traced_stack])
    assert survey(capsys, path)["moe_layers"][0]["proof"] == "traced"
    np.savez(tmp_path / "all.npz", **m.token_ids(tokens=24, sequences=2))
    out = tmp_path / "out"
    words = ("compile", path, "--prefill", 24, "--no-baselines", "--inputs")
    assert run(capsys, *words, tmp_path / "all.npz", "-o", out)[0] == 0
    # one token goes to two of four experts: block 2 has nobody to serve, and the run fails
    np.savez(tmp_path / "few.npz", input_ids=np.full((2, 24), 5))
    code, _, err = run(capsys, *words, tmp_path / "few.npz", "-o", tmp_path / "other")
    assert code == 2
    assert "recorded the routing of one input" in err


def test_one_sequence_is_fitted_and_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trace of one window cannot be halved: the same tokens serve for both, with a note."""
    path = m.write(tmp_path, [m.dense_masked()])
    np.savez(tmp_path / "x.npz", **m.token_ids(tokens=16))
    words = ("--inputs", tmp_path / "x.npz", "--prefill", 16, "-o", tmp_path / "out", "--json")
    code, out, _ = run(capsys, "compile", path, *words)
    assert code == 0
    window = json.loads(out)["window"]
    assert (window["fit_tokens"], window["scored_on_fitted"]) == ([0, 16], True)


def static(tmp_path: Path, shape: list[int | str]) -> Path:
    model = onnx.load(m.write(tmp_path, [m.dense_masked()]))
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape))
    onnx.save(model, tmp_path / "static.onnx")
    return tmp_path / "static.onnx"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([1, 16], "axis 1 (tokens): exported for exactly 16, asked for 8"),
        ([2, "tokens"], "axis 0 (batch): exported for exactly 2 sequences, asked for 1"),
    ],
)
def test_static_dimension(
    shape: list[int | str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = static(tmp_path, shape)
    code, _, err = run(capsys, "compile", path, "--prefill", 8, "-o", tmp_path / "out")
    assert code == 2
    assert message in err


def test_static_export_is_prefill_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = survey(capsys, static(tmp_path, [1, 16]))
    assert (found["decode"], found["decode_reason"]) == (
        "no",
        "a static export: prefill of exactly 16 tokens only (export it with a dynamic length)",
    )


def test_bidirectional_attention_cannot_decode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = m.write(tmp_path, [m.gated], mask=lambda g: "")
    found = survey(capsys, path)
    assert found["decode"] == "no"
    assert "not causal" in found["decode_reason"]
    code, _, err = run(capsys, "compile", path, "--decode", 2, "-o", tmp_path / "out")
    assert code == 2
    assert "--decode: this model cannot decode" in err
    assert "not causal" in err
    assert not (tmp_path / "out").exists()


def test_decode_of_a_static_export_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = static(tmp_path, [1, 16])
    code, _, err = run(
        capsys, "compile", path, "--prefill", 12, "--decode", 4, "-o", tmp_path / "out"
    )
    assert code == 2
    assert "a static export: prefill of exactly 16 tokens only" in err


def graph(tmp_path: Path, nodes: list[onnx.NodeProto], **weights: tuple[int, ...]) -> Path:
    rng = np.random.default_rng(0)
    tensors = [
        numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("acme", 1)]
    onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=9), tmp_path / "g.onnx")
    return tmp_path / "g.onnx"


def test_convolutional_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = graph(
        tmp_path,
        [
            helper.make_node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3]),
            helper.make_node("GlobalAveragePool", ["c"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "w"], ["y"]),
        ],
        k=(4, 3, 3, 3),
        w=(4, 10),
    )
    found = survey(capsys, path)
    assert (found["moe_layers"], found["decode"]) == ([], "no")
    assert "Gemm" in found["notes"][0]


def test_unknown_operator_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = graph(tmp_path, [helper.make_node("Mixer", ["x"], ["y"], "mix", domain="acme")])
    found = survey(capsys, path)
    assert found["moe_layers"] == []
    assert "node 'mix': operator acme.Mixer is not known" in found["notes"][0]


def test_without_proof_by_structure_only(tmp_path: Path) -> None:
    path = m.write(tmp_path, [m.dense_masked()])
    assert read_model(path, prove=False).moe_layers[0].proof == "structure"

"""Routing recorded from a run: the router's own selection, ranked by weight."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.feeds import load_inputs
from compiler.profiling.profile import profile
from ir.errors import InputError
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def test_token_choice(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked(), m.gated, m.dense_masked(m.sigmoid_topk)])
    workload = read_model(path, runtime=runtime)
    inputs = m.token_ids(tokens=11, sequences=3)
    seen: list[str] = []
    routing = profile(path, workload, inputs, progress=seen.append, runtime=runtime)
    assert routing.choices is not None
    assert routing.weights is not None
    assert routing.choices.shape == (2, 33, m.TOP)
    assert routing.layer.tolist() == [0, 2]
    assert routing.num_experts.tolist() == [4, 4]
    assert routing.sequence.tolist() == [0] * 11 + [1] * 11 + [2] * 11
    assert len(seen) == 3
    assert np.all(np.diff(routing.weights, axis=2) <= 0)
    assert np.allclose(routing.weights.sum(axis=2), [[1.0], [2.5]])  # renormalised; scaled by 2.5
    # sequence 2 again, straight from the router's probabilities of layer 0
    name = workload.moe_layers[0].router.exposed[0]  # the ids; the gates come second
    whole = runtime.load(with_outputs(open_model(path), [name]))
    ids = whole.run({"input_ids": inputs["input_ids"][2:3]}, [name])[name]
    assert np.array_equal(np.sort(ids, axis=1), np.sort(routing.choices[0, 22:], axis=1))


def test_first_sequences_and_tokens(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked()])
    workload, inputs = read_model(path, runtime=runtime), m.token_ids(tokens=20, sequences=4)
    whole = profile(path, workload, inputs, runtime=runtime)
    part = profile(path, workload, inputs, sequences=2, tokens=7, runtime=runtime)
    assert part.tokens == 14
    assert whole.choices is not None
    assert part.choices is not None
    # causal: the first 7 tokens do not depend on what follows
    assert np.array_equal(part.choices[0, :7], whole.choices[0, :7])
    assert np.array_equal(part.choices[0, 7:], whole.choices[0, 20:27])


def test_expert_choice(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.expert_choice()])
    routing = profile(path, read_model(path, runtime=runtime), m.token_ids(tokens=9, sequences=2))
    assert routing.scores is not None
    assert routing.capacity is not None
    assert routing.capacity.tolist() == [4]  # floor(2 * 9 / 4)
    assert np.allclose(routing.scores.sum(axis=2), 1.0)  # softmax over the experts
    assert routing.matrix(0).sum(axis=0).tolist() == [8] * 4  # 4 tokens of each sequence


def test_contract_operator_selects_from_logits(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.contract(normalise=1), m.contract(normalise=0)])
    routing = profile(path, read_model(path, runtime=runtime), m.token_ids(tokens=10))
    assert routing.weights is not None
    sums = routing.weights.sum(axis=2)
    assert np.allclose(sums[0], 1.0)
    assert np.all(sums[1] < 1.0)


def test_ties_inside_an_operator_go_to_the_highest_expert(tmp_path: Path, runtime: Runtime) -> None:
    """A router of zeros: every expert is equal; ONNX Runtime's operator takes 3 and 2."""

    def block(g: m.Graph, x: str) -> str:
        logits = g("MatMul", m.flat(g, x), g.constant(np.zeros((m.D, 4)), np.float32))
        return g(
            "MoE",
            x,
            logits,
            g.weight(4, 8, m.D),
            "",
            g.weight(4, m.D, 8),
            domain="com.microsoft",
            k=2,
            activation_type="relu",
        )

    path = m.write(tmp_path, [block])
    routing = profile(path, read_model(path, runtime=runtime), m.token_ids())
    assert routing.choices is not None
    assert np.all(routing.choices == [3, 2])
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_nothing_to_profile(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.gated])
    with pytest.raises(InputError, match="no MoE layer"):
        profile(path, read_model(path, runtime=runtime), m.token_ids())


def test_missing_and_short_inputs(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked()])
    workload = read_model(path, runtime=runtime)
    with pytest.raises(InputError, match="no array 'input_ids', found other"):
        profile(path, workload, {"other": np.zeros((1, 4))}, runtime=runtime)
    with pytest.raises(InputError, match="sequences of 13 tokens, asked for 40"):
        profile(path, workload, m.token_ids(), tokens=40, runtime=runtime)


def test_changed_file(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked()])
    workload = read_model(path, runtime=runtime)
    m.write(tmp_path, [m.expert_choice()])
    with pytest.raises(InputError, match="changed since"):
        profile(path, workload, m.token_ids(), runtime=runtime)


def test_masks_and_positions_are_made(tmp_path: Path, runtime: Runtime) -> None:
    """attention_mask and position_ids follow from the tokens; the caller is told."""
    g = m.Graph()
    m.transformer(g, [m.dense_masked()])
    mask = g("Cast", g("ReduceSum", "attention_mask", g.constant([1])), to=1)
    place = g("Cast", g("ReduceSum", "position_ids", g.constant([1])), to=1)
    extra = g("Add", mask, place)
    g.nodes[-1].output[0] = "total"
    del extra
    kind = 7
    shape: m.Dims = [1, "tokens"]
    inputs = dict.fromkeys(("input_ids", "attention_mask", "position_ids"), (kind, shape))
    path = g.model(tmp_path / "m.onnx", {**m.LOGITS, "total": [1, 1]}, inputs)
    told: list[str] = []
    routing = profile(
        path, read_model(path, runtime=runtime), m.token_ids(tokens=5), say=told.append
    )
    assert routing.tokens == 5
    assert told == ["made up inputs that were not given: attention_mask, position_ids"]


def test_static_length_is_named(tmp_path: Path, runtime: Runtime) -> None:
    g = m.transformer(m.Graph(), [m.dense_masked()])
    path = g.model(tmp_path / "m.onnx", {"logits": [1, 8, m.VOCAB]}, {"input_ids": (7, [1, 8])})
    with pytest.raises(InputError, match="axis 1 has 13, the model was exported for exactly 8"):
        profile(path, read_model(path, runtime=runtime), m.token_ids())
    assert profile(path, read_model(path, runtime=runtime), m.token_ids(), tokens=8).tokens == 8


def test_load_inputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **m.token_ids(sequences=2))
    assert load_inputs(tmp_path / "x.npz")["input_ids"].shape == (2, 13)
    (tmp_path / "y.npz").write_text("hello")
    with pytest.raises(InputError, match=r"y\.npz"):
        load_inputs(tmp_path / "y.npz")
    with pytest.raises(InputError, match=r"none\.npz"):
        load_inputs(tmp_path / "none.npz")

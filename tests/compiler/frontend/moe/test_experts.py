"""Experts of other kinds, read and proven by running them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.profile import profile
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import experts as x
from tests.compiler.frontend import models as m
from tests.compiler.frontend.branches import behind_ifs
from tests.compiler.frontend.execute import compare


@pytest.mark.parametrize("name", x.IDLE)
def test_idle_outputs_are_read(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Four experts, and router outputs that give nothing or the token: running tells which."""
    block, idle, passing = x.IDLE[name]
    path = m.write(tmp_path, [block])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, workload.notes) == ("run", ())
    assert (layer.router.experts, layer.router.idle, layer.passing) == (4, idle, passing)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_missing_experts_are_no_idle_outputs(tmp_path: Path, runtime: Runtime) -> None:
    """Nothing says that the last two of six outputs are meant to have no expert."""
    workload = read_model(m.write(tmp_path, [x.missing]), runtime=runtime)
    assert workload.moe_layers == ()
    (suspect,) = workload.suspects
    assert suspect.traced
    assert "4 feed-forward experts, the router has 6 outputs: experts are missing" in suspect.reason
    # all are computed for every token: no loop over those that were hit was recorded for certain
    assert "the graph does not show whether the further outputs are meant to have" in suspect.reason


def test_a_constant_expert_is_named(tmp_path: Path, runtime: Runtime) -> None:
    """MoE++: what the layer computes is not in its definition, and the note says which part."""
    path = m.write(tmp_path, [x.constant_expert])
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers == ()
    assert "an expert gives a constant vector, times its weight" in workload.suspects[0].reason
    assert "Mul" in workload.suspects[0].reason
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize("name", x.IDLE)
def test_their_pairs_are_no_work(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Each token gets two of all outputs: a pair with an idle one is -1, of weight 0."""
    path = m.write(tmp_path, [x.IDLE[name][0]])
    routing = profile(path, read_model(path, runtime=runtime), m.token_ids(30), runtime=runtime)
    assert routing.choices is not None
    assert routing.weights is not None
    assert routing.num_experts.tolist() == [4]
    taken = routing.choices[0] >= 0
    assert routing.choices.max() <= 3
    assert np.array_equal(taken, routing.weights[0] > 0)
    # 60 pairs over 6 or 7 outputs of which 4 are experts: about two thirds of them run
    assert 20 < taken.sum() < 55


@pytest.mark.parametrize("how", ["Gather", "Split"])
@pytest.mark.parametrize("router", [m.softmax_topk, m.topk_softmax, m.sigmoid_topk])
def test_places_one_after_the_other_are_one_layer(
    router: m.Router, how: str, tmp_path: Path, runtime: Runtime
) -> None:
    """Two blocks that gather from the same stacks: four experts, not eight, of which two each."""
    path = m.write(tmp_path, [x.by_place(router, how)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.form, workload.notes) == ("run", "gather-batched", ())
    assert (layer.router.experts, layer.router.top_k) == (4, 2)
    assert layer.router.kind == router.__name__.replace("_", "-")
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize("name", x.EINSUMS)
def test_einsums_of_gathered_matrices_are_read(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Of up [4, 16, 24] and down [4, 24, 16], in whatever order the letters stand."""
    path = m.write(tmp_path, [x.EINSUMS[name]])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.form, workload.notes) == ("run", "gather-batched", ())
    assert (layer.router.top_k, layer.activation.text) == (2, "gelu-tanh")
    assert (layer.d_model, layer.d_expert, layer.d_out) == (16, 24, 16)
    assert all((e.up.bias is not None) == (name == "biases") for e in layer.experts)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize("name", x.SINGLE)
def test_single_matrices_are_experts(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Four experts of one matrix each, with or without a curve of what it gives."""
    block, form, act = x.SINGLE[name]
    path = m.write(tmp_path, [block])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.form, workload.notes) == ("run", form, ())
    assert all(expert.down is None and expert.gate is None for expert in layer.experts)
    assert (len(layer.experts), layer.activation.text) == (4, act)
    assert (layer.single, layer.curved) == (True, act != "identity")
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_two_stages_are_no_single_matrix(tmp_path: Path, runtime: Runtime) -> None:
    """Of top-1 experts by ArgMax the first product alone would agree too: both are taken."""
    path = m.write(tmp_path, [x.first_alone])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert not layer.single
    assert (layer.d_expert, layer.d_out) == (24, 16)


@pytest.mark.parametrize("act", ["", "relu"])
def test_low_rank_experts_are_read(act: str, tmp_path: Path, runtime: Runtime) -> None:
    """From 16 to 3 to 24: what they give is as wide as the hidden layer that it is added to."""
    path = m.write(tmp_path, [x.low_rank(act=act)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.d_model, layer.d_expert, layer.d_out) == (16, 3, 24)
    assert (layer.proof, workload.notes, layer.width) == ("run", (), 24)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


UNLIKE: dict[str, tuple[Callable[[m.Ffn], m.Ffn], str]] = {
    "masked": (lambda expert: m.dense_masked(expert=expert), "dense-masked"),
    "gathered": (lambda expert: partial(m.per_expert_gather, expert=expert), "per-expert-gather"),
    "behind If": (lambda expert: behind_ifs(expert=expert), "dense-masked"),
}


@pytest.mark.parametrize("form", UNLIKE)
@pytest.mark.parametrize("expert", [m.gated, m.plain])
def test_experts_of_unlike_widths(
    form: str, expert: m.Ffn, tmp_path: Path, runtime: Runtime
) -> None:
    """Experts of 24, 12 and 30 by turns are a layer like any other, each with its own matrices."""
    make, name = UNLIKE[form]
    path = m.write(tmp_path, [make(x.by_turns((24, 12, 30), expert))])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.form, layer.proof, workload.suspects) == (name, "run", ())
    assert (layer.hidden_widths, layer.d_expert) == ((24, 12, 30, 24), 30)
    downs = [e.down.rows for e in layer.experts if e.down is not None]
    assert downs == list(layer.hidden_widths)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (x.product_keys, "experts of single rows are not read"),
        (x.autonomous, "experts that select themselves are not read"),
        (x.added_first, "no expert's output is weighted once and as it is"),
    ],
)
def test_other_experts_are_named(
    block: m.Ffn, reason: str, tmp_path: Path, runtime: Runtime
) -> None:
    """They stay digital or dense, the note says why, and the model is computed as it is."""
    path = m.write(tmp_path, [block])
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers == ()
    (suspect,) = workload.suspects
    assert reason in suspect.reason
    assert not suspect.traced
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_experts_may_make_wider_vectors_than_they_read(tmp_path: Path, runtime: Runtime) -> None:
    """24 numbers of 16: the sum is as wide as what the experts give."""
    path = m.write(tmp_path, [x.another_width])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.d_model, layer.d_out, layer.proof) == (16, 24, "run")
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5

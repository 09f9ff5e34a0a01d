"""Routers with a capacity: tokens beyond it go to no expert, and the trace says so."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.profile import profile
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend import places as p
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.experts import identity_masked


def test_first_four_tokens_of_each_expert(tmp_path: Path, runtime: Runtime) -> None:
    """Top-1 with four places: what the layer computes is read from the mask, not from the ids."""
    path = m.write(tmp_path, [partial(p.dropping, most=4)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.router.top_k, layer.router.kind) == ("run", 1, "argmax")
    assert workload.notes == ()
    assert compare(runtime, path, m.token_ids(tokens=30)) < 1e-5
    routing = profile(path, workload, m.token_ids(tokens=30), runtime=runtime)
    assert routing.choices is not None
    load = routing.matrix(0).sum(axis=0)
    # 30 tokens, 4 x 4 places: every expert has at most 4, and at least 14 tokens have none
    assert load.max() == 4
    assert (routing.choices[0, :, 0] == -1).sum() == 30 - load.sum() >= 14


def test_capacity_that_never_bites(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [p.dropping])
    routing = profile(path, read_model(path, runtime=runtime), m.token_ids(tokens=20))
    assert routing.choices is not None
    assert (routing.choices >= 0).all()


def test_two_picks_with_places(tmp_path: Path, runtime: Runtime) -> None:
    """GShard: 2 x 30 pairs, 4 x 8 places; the weights are those of the combine tensor."""
    path = m.write(tmp_path, [p.gshard])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.router.top_k, layer.router.experts) == ("run", 2, 4)
    assert compare(runtime, path, m.token_ids(tokens=30)) < 1e-5
    routing = profile(path, workload, m.token_ids(tokens=30), runtime=runtime)
    assert routing.weights is not None
    assert routing.choices is not None
    assert routing.matrix(0).sum(axis=0).max() == 8
    both = (routing.choices[0] >= 0).all(axis=1)
    assert both.any()
    # a token that kept both has weights that add up to 1; one that lost a pick has less
    assert np.allclose(routing.weights[0, both].sum(axis=1), 1.0)
    lost = ~both
    assert (routing.weights[0, lost].sum(axis=1) < 1).all()


@pytest.mark.parametrize("name", p.PASSING_ON)
def test_dropped_tokens_pass_on(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """4 x 4 places for 30 tokens: at least 14 of them stay as they are, or times their gate."""
    block, dropped = p.PASSING_ON[name]
    path = m.write(tmp_path, [block])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.dropped, workload.notes) == ("run", dropped, ())
    assert (layer.router.top_k, layer.router.experts, layer.router.idle) == (1, 4, (0, 0))
    assert compare(runtime, path, m.token_ids(tokens=30), workload=workload) < 1e-5
    routing = profile(path, workload, m.token_ids(tokens=30), runtime=runtime)
    assert routing.choices is not None
    assert (routing.choices[0, :, 0] == -1).sum() == 30 - routing.matrix(0).sum() >= 14


def test_dropped_by_both_picks_pass_on(tmp_path: Path, runtime: Runtime) -> None:
    """GShard with 2 places: a token that keeps one pick is that expert's alone."""
    path = m.write(tmp_path, [partial(p.gshard, slots=2, keeps=True)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.dropped, layer.router.top_k) == ("run", "token", 2)
    assert compare(runtime, path, m.token_ids(tokens=30), workload=workload) < 1e-5
    kept = profile(path, workload, m.token_ids(tokens=30), runtime=runtime).matrix(0).sum(axis=1)
    assert set(kept.tolist()) == {0, 1, 2}
    assert layer.passes_on(kept).tolist() == (kept == 0).tolist()


@pytest.mark.parametrize("most", [60, 100])
def test_places_that_only_many_tokens_fill(most: int, tmp_path: Path, runtime: Runtime) -> None:
    """Up to 60 (100) tokens an expert nothing is dropped: one run of the proof has 509 alike."""
    path = m.write(tmp_path, [partial(p.put_into_tokens, most=most)])
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers[0].dropped == "weighted token"
    assert compare(runtime, path, m.token_ids(tokens=450), workload=workload) < 1e-5


def test_zero_experts_are_read(tmp_path: Path, runtime: Runtime) -> None:
    """LongCat's router: two of its six outputs stand for no expert and pass the token on."""
    path = m.write(tmp_path, [identity_masked()])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.router.experts, layer.router.outputs) == (4, 6)
    assert (layer.proof, layer.passing) == ("run", (4, 5))
    assert workload.suspects == ()
    assert compare(runtime, path, m.token_ids()) < 1e-5

"""Expert choice step by step on the shipped model, against the model itself where it must agree."""

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.profile import load_inputs, profile
from ir.onnxdoor.processes.session import Runtime
from ir.routing import Routing
from tests.paths import MODELS

PREFILL, DECODE = 24, 4


@pytest.fixture(scope="module")
def traces(runtime: Runtime) -> tuple[Routing, Routing, Routing]:
    """Two sequences: in steps, their prefill alone, and grown without caches."""
    path = MODELS / "expert_choice.onnx"
    workload = read_model(path, runtime=runtime)
    inputs = {name: array[:2] for name, array in load_inputs(MODELS / "heldout.npz").items()}
    stepped = profile(
        path, workload, inputs, tokens=PREFILL + DECODE, decode=DECODE, runtime=runtime
    )
    first = profile(
        path, workload, inputs, tokens=PREFILL + DECODE, decode=DECODE, sequences=1, runtime=runtime
    )
    assert stepped.scores is not None
    assert first.scores is not None
    assert np.array_equal(first.scores, stepped.scores[:, : PREFILL + DECODE])
    alone = profile(path, workload, inputs, tokens=PREFILL, runtime=runtime)
    grown = profile(path, workload, inputs, tokens=PREFILL + DECODE, runtime=runtime)
    return stepped, alone, grown


def by_sequence(trace: Routing) -> np.ndarray:
    """Scores [layers, sequences, tokens, experts]."""
    assert trace.scores is not None
    layers, total, experts = trace.scores.shape
    return trace.scores.reshape(layers, 2, total // 2, experts)


def test_the_prefill_is_the_models_own(traces: tuple[Routing, Routing, Routing]) -> None:
    stepped, alone, _ = traces
    np.testing.assert_allclose(
        by_sequence(stepped)[:, :, :PREFILL], by_sequence(alone), rtol=1e-4, atol=1e-6
    )
    for row in range(stepped.layers):
        here = stepped.matrix(row).reshape(2, PREFILL + DECODE, -1)[:, :PREFILL]
        assert np.array_equal(here, alone.matrix(row).reshape(here.shape))


def test_the_first_layers_scores_are_the_uncached_models(
    traces: tuple[Routing, Routing, Routing],
) -> None:
    stepped, _, grown = traces
    np.testing.assert_allclose(by_sequence(stepped)[0], by_sequence(grown)[0], rtol=1e-4, atol=1e-6)


def test_capacity_grows_with_the_sequence(traces: tuple[Routing, Routing, Routing]) -> None:
    stepped, alone, grown = traces
    assert stepped.capacity is not None
    assert alone.capacity is not None
    assert grown.capacity is not None
    assert stepped.capacity[:, 0].tolist() == alone.capacity.tolist()
    assert stepped.capacity[:, -1].tolist() == grown.capacity.tolist()

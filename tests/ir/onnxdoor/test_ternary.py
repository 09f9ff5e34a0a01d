"""Ternary experts: their values by hand, and a model opened with them in place of its own."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from ir.errors import InputError
from ir.onnxdoor.load import open_model
from ir.onnxdoor.ternary import open_as, ternary
from ir.onnxdoor.weights import load_weight
from ir.ternary import with_ternary_experts
from ir.workload import Weight, Workload
from tests.compiler.frontend import models


def test_by_hand() -> None:
    """Mean |W| = (1 + 0.2 + 3 + 0.6) / 4 = 1.2: 1 / 1.2 rounds to 1, 0.2 / 1.2 to 0.

    -3 is cut to -1; 0.6 / 1.2 = 0.5 rounds to the even 0.
    """
    found = ternary(np.array([[1.0, 0.2], [-3.0, 0.6]], dtype=np.float64))
    np.testing.assert_allclose(found, [[1.2, 0], [-1.2, 0]])
    assert not ternary(np.zeros((2, 2), dtype=np.float16)).any()
    half = ternary(np.random.default_rng(0).normal(size=(30, 30)).astype(np.float16))
    assert half.dtype == np.float16
    assert len(np.unique(half)) == 3


def experts_of(workload: Workload) -> list[Weight]:
    layers = workload.moe_layers
    return [w for op in layers for e in op.experts for w in (e.up, e.gate, e.down) if w]


@pytest.mark.parametrize(
    "block",
    [
        models.dense_masked(shared=models.gated_shared),
        models.gather_batched(),
        models.gather_batched(models.topk_softmax, oai=True),
    ],
)
def test_only_experts_change(tmp_path: Path, block: models.Ffn) -> None:
    """Stacked, fused and interleaved or a tensor each: every matrix has a scale of its own."""
    path = models.write(tmp_path, [block])
    stored = read_model(path)
    workload = with_ternary_experts(stored)
    before, after = open_model(path), open_as(path, workload)
    weights = experts_of(workload)
    for weight in weights:
        np.testing.assert_array_equal(
            load_weight(after, weight), ternary(load_weight(before, weight))
        )
    touched = {weight.tensor for weight in weights}
    same = [n for n in before.graph.initializers if n not in touched]
    assert same
    for name in same:
        one, other = (s.graph.initializers[name].const_value for s in (before, after))
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    shared = [w for op in workload.moe_layers for e in op.shared for w in e.weights]
    assert all(w.format == "binary" for w in shared)
    unchanged = open_as(path, stored)
    np.testing.assert_array_equal(
        load_weight(unchanged, weights[0]), load_weight(before, weights[0])
    )


def test_packed_experts_are_refused(tmp_path: Path) -> None:
    path = models.write(tmp_path, [models.quantised_contract(4)])
    with pytest.raises(InputError, match="packed or scaled integers cannot be made ternary"):
        open_as(path, with_ternary_experts(read_model(path)))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = models.write(tmp_path, [models.dense_masked()])
    workload = read_model(path)
    models.write(tmp_path, [models.dense_masked(), models.dense_masked()])
    with pytest.raises(InputError, match="changed since it was read"):
        open_as(path, workload)

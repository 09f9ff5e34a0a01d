"""Experts whose weights are ternary in the file, in several forms, and experts that are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.frontend import read_model
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.ternary import is_ternary, open_as
from ir.onnxdoor.weights import load_weight
from ir.ternary import with_ternary_experts
from ir.workload import MoELayer
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.ternary import FORMS, parts, shared_in_full


def layer_of(path: Path, runtime: Runtime) -> MoELayer:
    (layer,) = read_model(path, runtime=runtime).moe_layers
    return layer


@pytest.mark.parametrize("form", FORMS)
def test_routed_ternary_beside_a_full_shared_one(
    form: str, tmp_path: Path, runtime: Runtime
) -> None:
    path = m.write(tmp_path, [m.dense_masked(shared=shared_in_full)], stored=FORMS[form])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert layer.ternary == ("routed",)
    assert {w.format for e in layer.shared for w in e.weights} == {"binary"}
    assert not any(w.rounded for e in layer.experts for w in e.weights)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5
    assert with_ternary_experts(workload) == workload  # nothing is left to round
    source = open_model(path)
    assert open_as(source, workload) is source


@pytest.mark.parametrize("form", ["Cast, Mul", "float32"])
def test_a_stack_with_a_scale_for_each(form: str, tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.gather_batched()], stored=FORMS[form])
    layer = layer_of(path, runtime)
    assert layer.ternary == ("routed",)
    scales = {np.abs(load_weight(open_model(path), e.up)).max() for e in layer.experts}
    assert len(scales) == m.EXPERTS


def test_one_other_element_makes_them_binary(tmp_path: Path, runtime: Runtime) -> None:
    """In the last row of the last expert's down matrix: experts of a layer are stored alike."""
    downs = []

    def one_off(g: m.Graph, values: Any) -> str:
        signs, scale = parts(values)
        if values.shape == (m.HIDDEN, m.D):
            downs.append(values)
            signs[-1, -1] = 2 if len(downs) == m.EXPERTS else 1
        return g.constant(signs * scale, np.float32)

    layer = layer_of(m.write(tmp_path, [m.dense_masked()], stored=one_off), runtime)
    source = open_model(tmp_path / "model.onnx")
    found = [is_ternary(load_weight(source, w)) for e in layer.experts for w in e.weights]
    assert found == [True] * (3 * m.EXPERTS - 1) + [False]
    assert layer.ternary == ()


def test_by_hand() -> None:
    """One scale for the matrix: 0.5 and 0.25 are two, no 1 is needed, and zeros alone are none."""
    assert is_ternary(np.array([[0.5, 0, -0.5], [0, 0, 0.5]]))
    assert is_ternary(np.array([[0, 0], [-3, 3]], dtype=np.float16))
    assert not is_ternary(np.array([[0.5, 0], [0, 0.25]]))
    assert not is_ternary(np.zeros((2, 2)))

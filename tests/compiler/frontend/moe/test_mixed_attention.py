"""Routed projections of attention are MoE layers of single matrices."""

from pathlib import Path

from compiler.frontend import read_model
from ir.onnxdoor.session import Runtime
from tests.compiler.frontend import mixed_attention as a
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def test_values_and_outputs_of_switch_head(tmp_path: Path, runtime: Runtime) -> None:
    """Two layers of four matrices around one attention; the second's router reads x, not values."""
    path = a.write(tmp_path, a.switch_head)
    workload = read_model(path, runtime=runtime)
    values, outputs = workload.moe_layers
    assert workload.notes == ()
    for layer in (values, outputs):
        assert (layer.proof, layer.form, layer.router.kind) == (
            "run",
            "dense-batched",
            "sigmoid-topk",
        )
        assert (layer.single, layer.router.experts, layer.router.top_k) == (True, 4, 2)
    assert [layer.router.reads for layer in (values, outputs)] == ["", values.inputs[0]]
    assert len(list(workload.attentions())) == 1
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5

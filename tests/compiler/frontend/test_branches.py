"""Experts in subgraphs are opened into the main graph, where that changes no value."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from compiler.frontend import read_model
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.branches import BRANCHES, behind_ifs
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.left_digital import UNREAD_BRANCHES, stored_elements

CONTROL = {"If", "Loop", "Scan"}


@pytest.mark.parametrize("name", BRANCHES)
def test_experts_in_subgraphs(name: str, tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [BRANCHES[name]])
    source = open_model(path)
    assert source.rewritten and not CONTROL & {n.op_type for n in source.graph}
    names = [n.name for n in source.graph]
    assert len(set(names)) == len(names)
    workload = read_model(source, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.form, layer.proof, workload.notes) == ("dense-masked", "run", ())
    assert workload.account.elements == stored_elements(path)
    feeds = m.token_ids(tokens=3)  # of 8 experts' ids at most 6 are taken
    assert compare(runtime, path, feeds, workload=workload) < 1e-5
    ours = runtime.load(with_outputs(source, ["logits"])).run(feeds, ["logits"])["logits"]
    theirs = runtime.load(path.read_bytes()).run(feeds, ["logits"])["logits"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_another_condition_than_the_selection(tmp_path: Path, runtime: Runtime) -> None:
    """An If on the vectors stays one; one that drops weights below 0.3 is no layer as it stands."""
    path = m.write(tmp_path, [UNREAD_BRANCHES])
    assert "If" in {n.op_type for n in open_model(path).graph}
    dropping = read_model(m.write(tmp_path, [behind_ifs(least=0.9)], "b"), runtime=runtime)
    assert not dropping.moe_layers
    assert compare(runtime, tmp_path / "b.onnx", m.token_ids(), workload=dropping) < 1e-5


def changed(path: Path, node: str, change: Any) -> bool:
    """Whether a file is rewritten after `change` of its first node of that type."""
    model = onnx.load(path)
    change(next(n for n in model.graph.node if n.op_type == node), model.graph)
    onnx.save(model, path)
    return open_model(path).rewritten


def test_what_stays_a_loop(tmp_path: Path) -> None:
    """Rounds that are not stored, a condition that a round makes, a Scan from the last entry."""

    def unknown(node: Any, graph: Any) -> None:
        graph.node.insert(0, onnx.helper.make_node("Size", ["input_ids"], ["count"]))
        node.input[0] = "count"

    def ending(node: Any, graph: Any) -> None:
        body = node.attribute[0].g
        body.node.append(onnx.helper.make_node("Not", [body.input[1].name], ["last"]))
        body.output[0].name = "last"

    def backwards(node: Any, graph: Any) -> None:
        node.attribute.append(onnx.helper.make_attribute("scan_input_directions", [1, 1, 1, 1]))

    for kind, change in (("Loop", unknown), ("Loop", ending), ("Scan", backwards)):
        path = m.write(tmp_path, [BRANCHES[f"in a {kind}"]])
        assert not changed(path, kind, change)

"""A model whose layers have the same experts, from the file to the report and back."""

import json
from pathlib import Path

import numpy as np
import pytest

import moexbar as mx
from ir.errors import InputError
from ir.onnxdoor.ternary import ternary
from ir.onnxdoor.weights import load_weight
from moexbar.files.compiled import verify
from moexbar.report.methods import MethodRow
from tests.backends.functional.test_tied import Tied
from tests.backends.functional.test_tied_experts import EXPERTS
from tests.compiler.frontend import models as m

PREFILL = 8


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Model and inputs: two layers, routers of their own."""
    folder = tmp_path_factory.mktemp("tied")
    graph = m.transformer(Tied(turns=EXPERTS), [m.gather_batched()] * 2)
    np.savez(folder / "inputs.npz", **m.token_ids(PREFILL, 4))
    return graph.model(folder / "m.onnx", m.LOGITS), folder / "inputs.npz"


def test_all_methods_and_the_folder(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Each method places 4 experts x gate, up, down once; the folder reads back and executes."""
    model, inputs = files
    done = mx.compile(model, inputs=inputs, prefill=PREFILL, least_placed=0)
    rows = [row for row in done.report.methods if isinstance(row, MethodRow)]
    assert len(rows) == 9
    first, second = done.report.layers
    assert (first.experts_of, second.experts_of) == (None, 0)
    assert (first.groups, first.grouping) == (second.groups, second.grouping)
    done.save(tmp_path / "out")
    mapping = json.loads((tmp_path / "out" / "mapping.json").read_text())
    assert [g["layer"] for g in mapping["groups"]] == [0]
    assert sum(block["expert"] >= 0 for block in mapping["blocks"]) == 3 * m.EXPERTS
    assert verify(tmp_path / "out").worst < 1e-5
    report = tmp_path / "out" / "report.json"  # lists the groups of every layer
    again = mx.compile(model, inputs=inputs, prefill=PREFILL, grouping=report, least_placed=0)
    assert again.report.layers[1].groups == first.groups


def test_other_groups_for_the_second_layer(files: tuple[Path, Path], tmp_path: Path) -> None:
    model, inputs = files
    groups = {0: [[0, 1], [2, 3]], 1: [[0, 2], [1, 3]]}
    file = tmp_path / "groups.json"
    file.write_text(json.dumps({"layers": [{"layer": n, "groups": g} for n, g in groups.items()]}))
    with pytest.raises(InputError, match="give it the groups of layer 0, as the experts are"):
        mx.compile(model, inputs=inputs, prefill=PREFILL, grouping=file, least_placed=0)


def test_each_matrix_is_made_ternary_once(files: tuple[Path, Path]) -> None:
    """Rounded again it would be other numbers: the mean of |W| falls where weights became 0."""
    model, inputs = files
    done = mx.compile(
        model, inputs=inputs, prefill=PREFILL, experts="ternary", baselines="none", least_placed=0
    )
    workload = done.compiled.workload
    with mx.Model(model) as opened:
        source, stored = opened.source_of(workload), opened.source_of(opened.workload())
    weight = workload.moe_layers[0].experts[0].up
    found, plain = (load_weight(s, weight) for s in (source, stored))
    assert np.array_equal(found, ternary(plain))

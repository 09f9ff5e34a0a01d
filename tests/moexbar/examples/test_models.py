"""The models that `moexbar example` writes: sparse, shape-true, and right ONNX when filled."""

import errno
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from compiler.frontend import read_model
from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Attention, Dense
from moexbar.examples.attention import positions, rotate
from moexbar.examples.catalogue import EXAMPLES
from moexbar.examples.model_writer import ModelWriter
from moexbar.examples.transformer import build
from moexbar.examples.write import write_synthetic
from tests.compiler.frontend.execute import compare
from tests.moexbar.examples.small_examples import small

NAMES = list(EXAMPLES)
PARAMETERS = {  # billions: what each paper's title or table says
    "llama-moe-3.5b": 6.7,  # 3.5 of them active
    "mixtral-8x7b": 46.7,
    "qwen3-30b-a3b": 30.5,
    "deepseek-v3": 671.0,
}


def filled(name: str, folder: Path) -> Path:
    """A small float32 model with random weights in its data file."""
    model = build(name, small(name).sizes, "float32")
    model.save(folder / f"{name}.onnx")
    random = np.random.default_rng(0)
    values = 0.3 * random.standard_normal(model.data_bytes // 4, dtype=np.float32)
    (folder / f"{name}.onnx.data").write_bytes(values.tobytes())
    return folder / f"{name}.onnx"


@pytest.mark.parametrize("name", NAMES)
def test_has_the_parameters_of_the_original(name: str) -> None:
    weights = build(name, EXAMPLES[name].sizes).weights / 1e9
    assert weights == pytest.approx(PARAMETERS[name], abs=0.06)


@pytest.mark.parametrize("name", NAMES)
def test_small_model_is_read_whole(name: str, tmp_path: Path) -> None:
    example = small(name)
    write_synthetic(name, example, tmp_path, seed=0, sequences=1)
    workload, sizes = read_model(tmp_path / f"{name}.onnx"), example.sizes
    assert all("by structure only" in note for note in workload.notes)  # no weights to try
    assert [op.layer for op in workload.moe_layers] == sizes.moe_layers
    kind = "sigmoid-topk" if name == "deepseek-v3" else "softmax-topk"
    for op in workload.moe_layers:
        assert (op.router.experts, op.router.top_k) == (sizes.experts, sizes.top_k)
        assert (op.d_model, op.d_expert, op.gated, op.activation.text) == (32, 24, True, "silu")
        assert len(op.shared) == sizes.shared
        assert op.router.kind == ("topk-softmax" if name == "llama-moe-3.5b" else kind)
    found = [op for op in workload.operators if isinstance(op, Attention)]
    shape = (sizes.heads, sizes.kv_heads, sizes.head_dim, True)
    assert [(a.heads, a.kv_heads, a.head_dim, a.causal) for a in found] == [shape] * sizes.layers
    # q, k, v, out (DeepSeek: q and kv in two steps each, out), 3 in a dense layer, the head
    dense = sum(isinstance(op, Dense) for op in workload.operators)
    per_layer = 5 if name == "deepseek-v3" else 4
    assert dense == per_layer * sizes.layers + 3 * sizes.dense_layers + 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tokens", [5, 11])
def test_filled_model_runs_as_it_is_read(
    name: str, tokens: int, tmp_path: Path, runtime: Runtime
) -> None:
    """With random weights in the hole, ONNX Runtime and the workload's operators agree."""
    path = filled(name, tmp_path)
    ids = np.random.default_rng(tokens).integers(0, 48, size=(1, tokens))
    assert compare(runtime, path, {"input_ids": ids}) < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_filled_model_is_causal_and_knows_positions(
    name: str, tmp_path: Path, runtime: Runtime
) -> None:
    """A token changes what comes after it, never what came before; order matters."""
    part = runtime.load(with_outputs(open_model(filled(name, tmp_path)), ["logits"]), name)

    def logits(*ids: int) -> npt.NDArray[np.float32]:
        run = part.run({"input_ids": np.array([ids])}, ["logits"])
        rows: npt.NDArray[np.float32] = run["logits"][0]
        return rows

    one, other, turned = logits(1, 2, 3, 4, 5), logits(1, 2, 9, 4, 5), logits(2, 1, 3, 4, 5)
    assert one.shape == (5, 48)
    assert np.array_equal(one[:2], other[:2])
    assert all(np.abs(one[t] - other[t]).max() > 1e-4 for t in (2, 3, 4))
    assert np.abs(one[4] - turned[4]).max() > 1e-4


def test_data_file_is_a_hole(tmp_path: Path) -> None:
    name = "mixtral-8x7b"
    report = write_synthetic(name, EXAMPLES[name], tmp_path, seed=0, sequences=1)
    found = (tmp_path / f"{name}.onnx.data").stat()
    assert found.st_size == report.data_bytes > 90e9
    assert found.st_blocks == 0  # no block on disk
    assert (tmp_path / f"{name}.onnx").stat().st_size < 1e6


def test_tensors_lie_one_after_another_and_do_not_overlap() -> None:
    model = build("small", small("deepseek-v3").sizes)
    end = 0
    for tensor in model.graph.initializer:
        place = {entry.key: entry.value for entry in tensor.external_data}
        if not place:
            continue
        count = int(np.prod(tensor.dims))
        assert place["location"] == "small.onnx.data"
        assert int(place["length"]) == 2 * count  # float16
        assert int(place["offset"]) >= end
        assert int(place["offset"]) % 4096 == 0
        end = int(place["offset"]) + int(place["length"])
    assert end <= model.data_bytes


def test_file_system_without_such_long_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _length: int) -> None:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(os, "truncate", refuse)
    model = ModelWriter("huge")
    model.weight("w", 1 << 20, 1 << 20)
    with pytest.raises(InputError, match=r"huge\.onnx\.data.*2199023255552 bytes: File too large"):
        model.save(tmp_path / "huge.onnx")


def test_rotary_positions_are_relative(tmp_path: Path, runtime: Runtime) -> None:
    """Position 0 is left alone; a product of two rotated vectors depends on their distance."""
    sizes = small("llama-moe-3.5b").sizes
    graph = ModelWriter("rotary", "float32")
    ids = graph.input("input_ids", np.int64, (1, "tokens"))
    where = positions(graph, sizes, ids)
    x = graph.input("x", np.float32, (1, 1, "tokens", 8))
    graph.output(rotate(graph, where, x, 8), "y", (1, 1, "tokens", 8))
    graph.save(tmp_path / "rotary.onnx")
    part = runtime.load(with_outputs(open_model(tmp_path / "rotary.onnx"), ["y"]), "rotary")
    vector = np.arange(1, 9, dtype=np.float32)
    tiled = np.tile(vector, (1, 1, 6, 1))
    feeds: dict[str, Array] = {"input_ids": np.zeros((1, 6), dtype=np.int64), "x": tiled}
    y = part.run(feeds, ["y"])["y"][0, 0]
    assert np.allclose(y[0], vector)
    products = y @ y.T
    for distance in range(6):
        assert np.ptp(np.diag(products, distance)) < 1e-3
    # pairs (1, 5), (2, 6), ... turn by 1, 0.1, 0.01, 0.001 per step (base 10000, 8 wide)
    angle = 10000.0 ** (-np.arange(0, 8, 2) / 8)
    expected = ((vector[:4] ** 2 + vector[4:] ** 2) * np.cos(angle)).sum()
    assert products[0, 1] == pytest.approx(expected, rel=1e-4)

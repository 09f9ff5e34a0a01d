"""Links to external data: those of a hub cache's layout are followed, no others."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ir.errors import InputError
from ir.onnxdoor.checks.links import hub_blobs
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime

WEIGHTS = np.array([[1, 2], [3, 4]], dtype=np.float32)


def model(location: str) -> bytes:
    """Y = x @ w, w [2, 2] outside at `location`."""
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [tensor],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    data: bytes = made.SerializeToString()
    return data


def cached(hub: Path, under: str = "", location: str = "model.onnx_data") -> Path:
    """A model as a hub cache holds it; `under`: a folder within the snapshot. Returns its path."""
    whole = hub / "models--some--model"
    snapshot = whole / "snapshots" / "0123abcd" / under
    snapshot.mkdir(parents=True)
    (whole / "blobs").mkdir()
    (whole / "blobs" / "aaaa").write_bytes(model(location))
    (whole / "blobs" / "bbbb").write_bytes(WEIGHTS.tobytes())
    for name, blob in (("model.onnx", "aaaa"), ("model.onnx_data", "bbbb")):
        (snapshot / name).symlink_to(os.path.relpath(whole / "blobs" / blob, snapshot))
    return snapshot / "model.onnx"


def refused(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as found:
        open_model(path)
    assert "tensor 'w'" in str(found.value)


@pytest.mark.parametrize("under", ["", "onnx"])
def test_a_cached_model_is_opened_and_run(under: str, tmp_path: Path, runtime: Runtime) -> None:
    source = open_model(cached(tmp_path, under))
    part = runtime.load(with_outputs(source, ["y"]), "cached")
    found = part.run({"x": np.array([[10, 1]], dtype=np.float32)}, ["y"])["y"]
    assert found.tolist() == [[13.0, 24.0]]  # 10 x 1 + 3, 10 x 2 + 4


def test_through_another_name_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is where the model really lies, not how it was come by."""
    path = cached(tmp_path)
    (tmp_path / "mine").symlink_to(path.parent)
    assert open_model(tmp_path / "mine" / "model.onnx").sha256 == open_model(path).sha256
    monkeypatch.chdir(path.parent)
    assert open_model("model.onnx").sha256 == open_model(path).sha256


def relinked(path: Path, target: Path | str) -> Path:
    """The cached model, its data's link now to another target."""
    (path.parent / "model.onnx_data").unlink()
    (path.parent / "model.onnx_data").symlink_to(target)
    return path


def test_links_out_of_the_cache(tmp_path: Path) -> None:
    """Elsewhere, to a neighbour's blobs, into a folder within blobs, or nowhere."""
    path = cached(tmp_path)
    (tmp_path / "secret").write_bytes(bytes(16))
    refused(relinked(path, tmp_path / "secret"), r"out of the cache's folder.*cp -rL")
    refused(relinked(path, "/etc/passwd"), "out of the cache's folder")
    other = tmp_path / "models--some--other" / "blobs"
    other.mkdir(parents=True)
    (other / "bbbb").write_bytes(bytes(16))
    refused(relinked(path, other / "bbbb"), "out of the cache's folder")
    within = path.parents[2] / "blobs" / "folder"
    within.mkdir()
    (within / "bbbb").write_bytes(bytes(16))
    refused(relinked(path, within / "bbbb"), "out of the cache's folder")
    refused(relinked(path, tmp_path / "none"), "leads nowhere")
    refused(relinked(path, "model.onnx_data"), "leads nowhere")


def test_a_blob_that_is_a_link_itself(tmp_path: Path) -> None:
    path = cached(tmp_path)
    (tmp_path / "secret").write_bytes(bytes(16))
    (path.parents[2] / "blobs" / "cccc").symlink_to(tmp_path / "secret")
    refused(relinked(path, "../../blobs/cccc"), "out of the cache's folder")


def test_blobs_that_are_a_link(tmp_path: Path) -> None:
    path = cached(tmp_path)
    blobs = path.parents[2] / "blobs"
    blobs.rename(tmp_path / "elsewhere")
    blobs.symlink_to(tmp_path / "elsewhere")
    refused(path, "out of the cache's folder")


def test_a_blob_of_two_names(tmp_path: Path) -> None:
    path = cached(tmp_path)
    (tmp_path / "again").hardlink_to(path.parents[2] / "blobs" / "bbbb")
    refused(path, "not a plain file of one name")


def test_a_folder_of_the_snapshot_that_is_a_link(tmp_path: Path) -> None:
    """Data in `data/`, which leads to blobs: the folder is no blob."""
    path = cached(tmp_path, location="data/bbbb")
    (path.parent / "data").symlink_to(path.parents[2] / "blobs")
    refused(path, "out of the cache's folder")


def test_paths_out_of_the_snapshot(tmp_path: Path) -> None:
    for number, location in enumerate(("../../blobs/bbbb", "/etc/passwd", "a/../../../x")):
        path = cached(tmp_path / str(number), location=location)
        refused(path, "expected a file in its folder")


def test_a_folder_that_only_looks_like_a_cache(tmp_path: Path) -> None:
    """`models--` without snapshots around the model, or the blobs themselves."""
    folder = tmp_path / "models--some--model" / "other" / "0123abcd"
    folder.mkdir(parents=True)
    (tmp_path / "models--some--model" / "blobs").mkdir()
    (tmp_path / "models--some--model" / "blobs" / "bbbb").write_bytes(bytes(16))
    (folder / "model.onnx").write_bytes(model("model.onnx_data"))
    (folder / "model.onnx_data").symlink_to("../../blobs/bbbb")
    refused(folder / "model.onnx", "no snapshot of a hub cache.*cp -rL")


def test_some_data_are_links_and_some_are_not(tmp_path: Path) -> None:
    path = cached(tmp_path)
    proto = onnx.ModelProto.FromString(path.read_bytes())
    more = proto.graph.initializer.add()
    more.CopyFrom(proto.graph.initializer[0])
    more.name, more.external_data[0].value = "v", "plain.bin"
    path.unlink()
    path.write_bytes(proto.SerializeToString())
    (path.parent / "plain.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(InputError, match=r"'model.onnx_data' is a symbolic link, that at 'plain"):
        open_model(path)


def test_where_the_blobs_are(tmp_path: Path) -> None:
    path = cached(tmp_path, "onnx")
    whole = tmp_path / "models--some--model"
    assert hub_blobs(path.parent) == hub_blobs(path.parents[1]) == whole.resolve() / "blobs"
    assert hub_blobs(whole / "snapshots") is None
    assert hub_blobs(whole) is None
    assert hub_blobs(tmp_path) is None

"""Running models in the child process, and cutting sub-models out."""

import resource
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from ir.errors import InputError, LoadRefusedError, RunRefusedError, RuntimeLostError
from ir.onnxdoor.extract import extract, with_outputs
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.processes import child as children
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_bias, load_weight
from ir.workload import Weight

X = np.arange(6, dtype=np.float32).reshape(2, 3)
W = np.arange(12, dtype=np.float16).reshape(3, 4)
Y = X @ W.astype(np.float32) + 1  # of `source`


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """H = x (Cast w); y = Relu(h) + 1, with w half precision."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["w"], ["w32"], name="cast", to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["x", "w32"], ["h"], name="product"),
            helper.make_node("Relu", ["h"], ["r"], name="relu"),
            helper.make_node("Add", ["r", "one"], ["y"], name="plus"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(W, "w"), numpy_helper.from_array(np.array(1, np.float32), "one")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, tmp_path / "m.onnx")
    return open_model(tmp_path / "m.onnx")


def test_exposes_inner_values(source: Source, runtime: Runtime) -> None:
    model = runtime.load(with_outputs(source, ["h", "y"]))
    found = model.run({"x": X}, ["h", "y"])
    assert np.array_equal(found["h"], X @ W.astype(np.float32))
    assert np.array_equal(found["y"], np.maximum(found["h"], 0) + 1)


def test_a_part_takes_only_the_weights_it_needs(source: Source, runtime: Runtime) -> None:
    data = extract(source, {"h": onnx_ir.DataType.FLOAT}, ["y"], ["relu", "plus"])
    proto = onnx.ModelProto.FromString(data)
    assert [t.name for t in proto.graph.initializer] == ["one"]
    assert [n.name for n in proto.graph.node] == ["relu", "plus"]
    y = runtime.load(data).run({"h": np.array([[-1, 2]], np.float32)}, ["y"])["y"]
    assert y.tolist() == [[1.0, 3.0]]


def test_constant_nodes_come_along(source: Source) -> None:
    """The weight's Cast belongs to no listed node but depends on nothing outside."""
    data = extract(source, {"x": None}, ["h"], ["product"])
    assert [n.name for n in onnx.ModelProto.FromString(data).graph.node] == ["cast", "product"]


def test_incomplete_parts_are_refused(source: Source) -> None:
    with pytest.raises(InputError, match="need node 'product', which is not listed"):
        extract(source, {"x": None}, ["y"], ["relu", "plus"])
    with pytest.raises(InputError, match="need the model input 'x'"):
        extract(source, {}, ["h"])
    with pytest.raises(InputError, match="no value 'z'"):
        extract(source, {"x": None}, ["z"])


def test_a_part_from_a_value_of_no_declared_type(source: Source, runtime: Runtime) -> None:
    """The file says nothing of h, so who cuts there has to."""
    with pytest.raises(InputError, match="value 'h': its element type is not declared"):
        extract(source, {"h": None}, ["r"])
    part = runtime.load(extract(source, {"h": onnx_ir.DataType.FLOAT}, ["r"]))
    h = np.array([[-1, 2, 3, 4]], np.float32)
    assert part.run({"h": h}, ["r"])["r"].tolist() == [[0, 2, 3, 4]]


def test_external_weights_are_embedded(tmp_path: Path, source: Source, runtime: Runtime) -> None:
    proto = onnx.load(source.path)
    onnx.save(
        proto, tmp_path / "e.onnx", save_as_external_data=True, location="e.bin", size_threshold=0
    )
    outside = open_model(tmp_path / "e.onnx")
    found = runtime.load(with_outputs(outside, ["h"])).run({"x": X}, ["h"])["h"]
    assert np.array_equal(found, X @ W.astype(np.float32))


def test_errors_come_back_as_one_line(source: Source, runtime: Runtime) -> None:
    model = runtime.load(with_outputs(source, ["y"]), "m.onnx")
    refused = r"m\.onnx: ONNX Runtime: .*INVALID_ARGUMENT"
    with pytest.raises(RunRefusedError, match=refused) as found:
        model.run({"x": X.astype(np.int64)}, ["y"])
    assert "\n" not in str(found.value)
    with pytest.raises(LoadRefusedError, match="ONNX Runtime"):
        runtime.load(b"not a model")
    # and the child still answers
    assert model.run({"x": X}, ["y"])["y"].shape == (2, 4)


def serialised(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def range_model(limit: int) -> bytes:
    """Y = Range(0, limit, 1): `limit` int64 values out of nothing."""
    names = ["start", "limit", "step"]
    values = [
        numpy_helper.from_array(np.array(v, np.int64), n)
        for n, v in zip(names, (0, limit, 1), strict=True)
    ]
    graph = helper.make_graph(
        [helper.make_node("Range", names, ["y"])],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.INT64, ["n"])],
        values,
    )
    return serialised(graph)


def test_memory_limit() -> None:
    """2^40 values do not fit: an error from the child or its death, never ours."""
    lost = pytest.raises(RuntimeLostError, match=r"big\.onnx: ONNX Runtime.* memory")
    with Runtime(memory_bytes=4 * 2**30) as child, lost:
        child.load(range_model(2**40), "big.onnx").run({}, ["y"])


@pytest.mark.parametrize("asked", [0, 3 << 30])
def test_a_limit_of_0_is_none(asked: int, source: Source) -> None:
    """The child has then what we have, which is none where nobody set one."""
    ours = resource.getrlimit(resource.RLIMIT_AS)[0]
    tighter = ours != resource.RLIM_INFINITY and ours < asked
    with Runtime(memory_bytes=asked) as child:
        model = child.load(with_outputs(source, ["y"]))
        assert np.allclose(model.run({"x": X}, ["y"])["y"], Y)
        held = resource.prlimit(child._process.pid, resource.RLIMIT_AS)[0]
    assert held == (asked if asked and not tighter else ours)


def test_a_limit_too_tight_for_the_runtime_itself(source: Source) -> None:
    told = r"ONNX Runtime's process (gave up: \w+Error|died \(exit \d+\))"
    with Runtime(memory_bytes=64 * 2**20) as child, pytest.raises(RuntimeLostError, match=told):
        child.load(with_outputs(source, ["y"]))


def test_what_is_no_request_is_named(source: Source) -> None:
    """The process cannot know where the next request would begin, so it says so and ends."""
    with Runtime() as child:
        pipe = child._process.stdin
        assert pipe is not None
        pipe.write(struct.pack("<q", 4) + b"{x}\n")
        with pytest.raises(RuntimeLostError, match="gave up: JSONDecodeError"):
            child.load(with_outputs(source, ["y"]))
        model = child.load(with_outputs(source, ["y"]))  # by the process begun in its place
        assert np.allclose(model.run({"x": X}, ["y"])["y"], Y)


def test_a_model_loaded_as_it_is_gives_the_same(source: Source, runtime: Runtime) -> None:
    data = with_outputs(source, ["y"])
    plain, faster = runtime.load(data, as_it_is=True), runtime.load(data)
    assert np.array_equal(plain.run({"x": X}, ["y"])["y"], faster.run({"x": X}, ["y"])["y"])


def test_a_tighter_limit_of_ours_holds_for_the_child() -> None:
    """Hard limit 8 GiB, 16 asked for: a child that insisted on them would not start."""
    program = (
        "import resource; from ir.onnxdoor.processes.session import Runtime\n"
        "resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))\n"
        "with Runtime(memory_bytes=16 << 30) as child:\n"
        "    child.drop(1, 'x')\n"
        "    pid = child._process.pid\n"
        "    print(resource.prlimit(pid, resource.RLIMIT_AS))\n"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str((8 << 30, 8 << 30)), done.stderr


def test_a_dead_child_is_started_again_once(source: Source) -> None:
    """It holds the models that are not dropped."""
    with Runtime() as child:
        gone, model = (child.load(with_outputs(source, ["y"]), f"{name}.onnx") for name in "gm")
        gone.drop()
        for _ in range(2):
            child._process.kill()
            assert np.allclose(model.run({"x": X}, ["y"])["y"], Y)
        with pytest.raises(RunRefusedError):
            gone.run({"x": X}, ["y"])


def test_a_closed_runtime_stays_closed(source: Source) -> None:
    """Nothing begins its process again, least of all a model that is dropped afterwards."""
    child = Runtime()
    model, process = child.load(with_outputs(source, ["y"])), child._process
    children.Child.close(child)  # not the tests' one, which keeps the process
    model.drop()
    with pytest.raises(RuntimeLostError):
        model.run({"x": X}, ["y"])
    assert child._process is process


def test_what_kills_two_processes_is_an_error(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = children._child

    def short_lived(words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        made = real(words)
        made.kill()
        return made

    monkeypatch.setattr(children, "_child", short_lived)
    died = pytest.raises(
        RuntimeLostError, match=r"m\.onnx: ONNX Runtime's process died \(exit -9\)"
    )
    with Runtime() as child, died:
        child.load(with_outputs(source, ["y"]), "m.onnx")


def test_an_interrupted_request_leaves_no_answer_for_the_next(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a notebook, whose next cell asks again: y of x + 1 is not that of x."""
    with Runtime() as child:
        model = child.load(with_outputs(source, ["y"]))

        def interrupted(_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(children, "receive", interrupted)
            model.run({"x": X + 1}, ["y"])
        assert np.allclose(model.run({"x": X}, ["y"])["y"], Y)


def test_time_limit() -> None:
    """A loop of 10^12 rounds is stopped after the time given."""
    scalar = [helper.make_tensor_value_info(n, TensorProto.INT64, []) for n in ("i", "kept")]
    flags = [helper.make_tensor_value_info(n, TensorProto.BOOL, []) for n in ("go", "on")]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Neg", ["kept"], ["next"])],
        "body",
        [scalar[0], flags[0], scalar[1]],
        [flags[1], helper.make_tensor_value_info("next", TensorProto.INT64, [])],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["count", "true", "count"], ["y"], body=body)],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [])],
        [
            numpy_helper.from_array(np.array(10**12, np.int64), "count"),
            numpy_helper.from_array(np.array(True), "true"),
        ],
    )
    data = serialised(graph)
    late = pytest.raises(RuntimeLostError, match=r"took over 1\.5 s")
    with Runtime(seconds=1.5) as child, late:
        child.load(data, "loop.onnx").run({}, ["y"])


def test_load_weight(source: Source) -> None:
    """Columns 1 and 3 of w, and the transpose of the whole."""
    part = Weight("w", 3, 2, bits=16, start=1, step=2)
    assert load_weight(source, part).tolist() == W[:, 1::2].tolist()
    turned = Weight("w", 4, 3, bits=16, transposed=True)
    assert load_weight(source, turned).tolist() == W.T.tolist()
    assert load_bias(source, part) is None
    with pytest.raises(InputError, match="no stored tensor 'v'"):
        load_weight(source, Weight("v", 1, 1))
    with pytest.raises(InputError, match="expected"):
        load_weight(source, Weight("w", 5, 4))


@pytest.mark.parametrize(("op", "lacking"), [("Gela", True), ("Gelu", False)])
def test_what_this_build_lacks_is_told_from_what_is_wrong(op: str, lacking: bool) -> None:
    """An operator that is not registered, as another build may have it; one without its input."""
    node = onnx.helper.make_node(op, ["x"] if lacking else [], ["y"], domain="com.microsoft")
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [2]) for name in "xy")
    graph = onnx.helper.make_graph([node], "g", [x], [y])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    with Runtime() as runtime, pytest.raises(LoadRefusedError) as found:
        runtime.load(model.SerializeToString())
    assert found.value.lacking is lacking

"""Models of images and sounds: tokens are the rows after the patches, not the channels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar
from compiler.frontend import read_model
from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph
from compiler.options import SolverOptions
from ir.errors import InputError
from ir.onnxdoor.load import open_model
from moexbar.report.executed import Executed
from tests.compiler.frontend import models as m

QUICK = SolverOptions(time_s=0.1)


def vision(
    folder: Path,
    shape: m.Dims,
    *,
    class_token: bool = True,
    width: int = m.D,
    by_conv: bool = True,
    placed: bool = True,
) -> Path:
    """Patches of 4 x 4 embedded, a layer of a dense product and one of experts, a classifier.

    16 x 16 images of 3 channels have 16 patches: 17 tokens with the class token.
    """
    g = m.Graph(d=width)
    if by_conv:
        kernel = g.constant(g.random.standard_normal((width, 3, 4, 4)) / 7, np.float32)
        maps = g("Conv", "image", kernel, kernel_shape=[4, 4], strides=[4, 4])
        x = g("Transpose", g("Reshape", maps, g.constant([0, width, -1])), perm=[0, 2, 1])
    else:
        apart = g("Reshape", "image", g.constant([1, 3, 4, 4, 4, 4]))
        turned = g("Transpose", apart, perm=[0, 2, 4, 1, 3, 5])
        x = m.linear(g, g("Reshape", turned, g.constant([1, 16, 48])), 48, width)
    if class_token:
        x = g("Concat", g.weight(1, 1, width), x, axis=1)
    if placed:
        x = g("Add", x, g.weight(1, 16 + class_token, width))
    x = g("Add", x, m.linear(g, m.rms_norm(g, x), width, width))
    x = g("Add", x, m.linear(g, g("Tanh", m.linear(g, x, width, width)), width, width))
    x = g("Add", x, m.dense_masked()(g, x))
    pooled = g("ReduceMean", x, g.constant([1]), keepdims=0)
    g("MatMul", pooled, g.weight(width, 5))
    g.nodes[-1].output[0] = "classes"
    return g.model(folder / "m.onnx", {"classes": [shape[0], 5]}, {"image": (1, shape)})


def images(count: int, side: int = 16) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {"image": random.standard_normal((count, 3, side, side)).astype(np.float32)}


CASES: dict[str, tuple[m.Dims, dict[str, Any], int]] = {
    "class token": ([1, 3, 16, 16], {}, 17),
    "free batch": (["batch", 3, 16, 16], {}, 17),
    "patches alone": ([1, 3, 16, 16], {"class_token": False}, 16),
    "as wide as there are patches": ([1, 3, 16, 16], {"class_token": False, "width": 16}, 16),
    "as many as the width": ([1, 3, 16, 16], {"width": 17}, 17),
    "no convolution": ([1, 3, 16, 16], {"by_conv": False}, 17),
}


@pytest.mark.parametrize("name", CASES)
def test_an_image_is_a_sequence_of_its_patches(name: str, tmp_path: Path) -> None:
    """Three images and 4 dense products of the layer; the classifier reads no token."""
    shape, options, tokens = CASES[name]
    path = vision(tmp_path, shape, **options)
    done = moexbar.compile(
        path, inputs=images(3), prefill=tokens, limits=QUICK, baselines="none", least_placed=0
    )
    assert done.routing.sequence.tolist() == [s for s in range(3) for _ in range(tokens)]
    executed = done.report.executed
    assert isinstance(executed, Executed)
    assert executed.worst is not None
    assert executed.worst < 1e-5
    workload = done.compiled.workload
    assert workload.patches == tokens
    (layer,) = workload.moe_layers
    assert layer.proof == "run"
    dense = [d for d in workload.dense() if (d.weight.rows, d.weight.columns) != (48, m.D)]
    assert len(dense) == 3


def test_another_length_than_the_images_have(tmp_path: Path) -> None:
    path = vision(tmp_path, [1, 3, 16, 16])
    with pytest.raises(InputError, match="becomes exactly 17 tokens, asked for 12; use --prefill"):
        read_model(path, tokens=12)


def test_images_of_any_size(tmp_path: Path) -> None:
    """Without stored positions the number of patches is open: the 3 channels are no tokens."""
    path = vision(tmp_path, [1, 3, "height", "width"], class_token=False, placed=False)
    with pytest.raises(InputError, match=r"shape \[1, 3, height, width\]: how many tokens"):
        read_model(path, tokens=16, prove=False)


def test_sound(tmp_path: Path) -> None:
    """Bands of a spectrogram are channels: 10 frames of 8 bands become 5 tokens."""
    g = m.Graph()
    kernel = g.constant(g.random.standard_normal((m.D, 8, 2)), np.float32)
    x = g("Transpose", g("Conv", "sound", kernel, strides=[2]), perm=[0, 2, 1])
    m.gated(g, x)
    g.nodes[-1].output[0] = "y"
    path = g.model(tmp_path / "m.onnx", {"y": [1, 5, m.D]}, {"sound": (1, [1, 8, 10])})
    assert read_model(path, prove=False).patches == 5
    assert len(list(read_model(path, prove=False).dense())) == 3


def test_vectors_stay_vectors(tmp_path: Path) -> None:
    """A convolution over tokens, as in state-space models: the input has an axis of them."""
    g = m.Graph()
    kernel = g.constant(g.random.standard_normal((m.D, 1, 3)), np.float32)
    turned = g("Transpose", "x", perm=[0, 2, 1])
    mixed = g("Conv", turned, kernel, group=m.D, pads=[2, 0])
    m.gated(g, g("Transpose", mixed, perm=[0, 2, 1]))
    g.nodes[-1].output[0] = "y"
    shape: m.Dims = [1, "tokens", m.D]
    path = g.model(tmp_path / "m.onnx", {"y": shape}, {"x": (1, shape)})
    assert Facts.of(Graph.of(open_model(path))).patches is None
    assert len(list(read_model(path, prove=False).dense())) == 3

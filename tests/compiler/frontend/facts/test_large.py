"""Values that are too large are refused by their shape; a large model may have larger ones."""

from pathlib import Path

import onnx
import onnx.parser
import pytest

import moexbar as mx
from compiler.frontend.facts.large import COPIES
from ir.errors import InputError
from ir.limits import Limits

STORED = 8 * 8 * 4  # bytes of the only weight


def model(folder: Path, elements: int) -> Path:
    """A product by 8 x 8 floats, and a value of so many floats."""
    text = f"""
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[8] x) => (float[8] y)
        <float[8, 8] w = {{{", ".join(["1.0"] * 64)}}}, int64[1] many = {{{elements}}}> {{
            p = MatMul(x, w)
            s = Slice(p, zero, one)
            large = Expand(s, many)
            least = ReduceMin <keepdims = 0> (large)
            y = Add(p, least)
        }}"""
    text = text.replace("> {", ", int64[1] zero = {0}, int64[1] one = {1}> {", 1)
    path = folder / f"{elements}.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def test_a_value_has_room_by_the_models_own_size(tmp_path: Path) -> None:
    """Of one byte at most, but for 64 times the 256 bytes of the weight: 4,096 floats."""
    limits = Limits(value_bytes=1)
    most = COPIES * STORED // 4
    assert most == 4096
    mx.survey(mx.open_model(model(tmp_path, most), limits=limits))
    with pytest.raises(InputError, match=r"16,388 bytes, limit value_bytes = 16,384"):
        mx.survey(mx.open_model(model(tmp_path, most + 1), limits=limits))

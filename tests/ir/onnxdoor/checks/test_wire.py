"""Messages and strings of a file are counted on its bytes."""

import onnx
import pytest

from ir.onnxdoor.checks.wire import SMALLEST, messages

ATTRIBUTE = onnx.AttributeProto(name="alpha", f=0.5)  # a number of four bytes
NODE = onnx.NodeProto(op_type="LeakyRelu", attribute=[ATTRIBUTE])
TWO = onnx.ModelProto(ir_version=10, graph=onnx.GraphProto(node=[NODE, NODE])).SerializeToString()


@pytest.mark.parametrize(
    ("data", "most", "count"),
    [
        (TWO, 100, 9),  # the graph, and twice: node, op_type, attribute, its name
        (TWO, 3, 4),  # no further than just over
        (TWO[:-4], 100, 9),  # the last number is cut off
        (b"", 100, 0),
        (b"\x3a\x00" * 7, 100, 7),  # empty graphs, of the fewest bytes that a message takes
        (b"\x0f", 100, 0),  # a kind of field that there is not
        (b"\xff" * 3, 100, 0),  # a number that does not end
    ],
)
def test_what_is_counted(data: bytes, most: int, count: int) -> None:
    assert messages(data, most) == count
    assert SMALLEST * count <= len(data)

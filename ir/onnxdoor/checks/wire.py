"""How many messages a protobuf file holds, counted on its bytes before it is parsed.

Two bytes of file are an empty node, which is 140 bytes once parsed. What a field's number means is
asked of onnx itself; contents of tensors are stepped over.
"""

from functools import cache
from typing import Any

import onnx

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_STEP = {_EIGHT: 8, _FOUR: 4}
SMALLEST = 2  # bytes of a message or string: what it is, and its length


def messages(data: bytes, most: int) -> int:
    """Messages and strings in a serialised model; counted no further than just over `most`.

    What is no protobuf is counted as far as it looks like one: the parser says what is wrong.
    """
    total, at = 0, 0
    ends, kinds = [len(data)], [onnx.ModelProto.DESCRIPTOR]
    inside = _inside(kinds[0])
    try:
        while ends and total <= most:
            if at >= ends[-1]:
                ends.pop()
                kinds.pop()
                inside = _inside(kinds[-1]) if kinds else {}
                continue
            key, at = _varint(data, at)
            wire = key & 7
            if wire == _VARINT:
                _, at = _varint(data, at)
            elif wire == _BYTES:
                size, at = _varint(data, at)
                total += 1
                if key >> 3 in inside:
                    ends.append(min(at + size, ends[-1]))
                    kinds.append(inside[key >> 3])
                    inside = _inside(kinds[-1])
                else:
                    at += size
            else:
                at += _STEP[wire]
    except (IndexError, KeyError):  # it ends too soon; no such kind of field
        return total
    return total


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    number, shift = byte & 127, 7
    while byte >= 128:
        at += 1
        byte = data[at]
        number |= (byte & 127) << shift
        shift += 7
    return number, at + 1


@cache
def _inside(kind: Any) -> dict[int, Any]:
    """The fields of a message that are messages: {number: kind}."""
    return {f.number: f.message_type for f in kind.fields if f.message_type is not None}

"""Thrift's compact protocol by hand: a byte of (step to the field's number, kind), then the value.

Whole numbers are zigzag varints, 7 bits a byte with the lowest first: 1 is 02, -1 01, 64 80 01.
"""

import pytest

from moexbar.files import thrift
from moexbar.files.thrift import TooManyError, read_struct


@pytest.mark.parametrize(
    ("data", "struct"),
    [
        ("00", {}),
        ("15 02 00", {1: 1}),
        ("15 01 00", {1: -1}),
        ("36 80 01 16 04 00", {3: 64, 4: 2}),  # 64 bits; a step of 1 from 3
        ("05 80 01 02 00", {64: 1}),  # a number of its own instead of a step
        ("11 12 15 02 00", {3: 1}),  # flags are in the kind, and are left out
        ("13 7f 00", {1: 127}),  # a byte as it is
        ("17 00 00 00 00 00 00 f0 3f 15 02 00", {2: 1}),  # a fraction, 8 bytes, is left out
        ("18 02 68 69 00", {1: b"hi"}),
        ("1c 15 02 00 15 04 00", {1: {1: 1}, 2: 2}),
        ("19 25 02 04 00", {1: [1, 2]}),
        ("1a 2c 15 02 00 00 00", {1: [{1: 1}, {}]}),  # a set is as a list
        ("19 21 01 02 00", {1: [1, 2]}),  # flags of a list are bytes
        ("19 f5 10" + "02" * 16 + "00", {1: [1] * 16}),  # more than 14: the number follows
    ],
)
def test_read_by_hand(data: str, struct: object) -> None:
    whole = bytes.fromhex(data)
    assert read_struct(b"PAR1" + whole + b"more", 4) == (struct, 4 + len(whole))


@pytest.mark.parametrize(
    "data",
    [
        "15 02 05 02 02 00",  # field 1 twice, of which pyarrow would take the later one's parts
        "05 00 02 00",  # field 0
        "05 80 80 04 02 00",  # field 32768, beyond 16 bits
        "1b 00 00",  # a map
        "15" + "80" * 10 + "01 00",  # a number of more than 64 bits
        "1c" * 20,  # structs in one another
        "19" * 20,  # lists in one another
    ],
)
def test_what_is_none(data: str) -> None:
    with pytest.raises(ValueError, match=None):
        read_struct(bytes.fromhex(data), 0)


@pytest.mark.parametrize("data", ["", "15", "15 80", "19 25 02", "1c 15 02 00"])
def test_what_ends_too_soon(data: str) -> None:
    with pytest.raises(IndexError):
        read_struct(bytes.fromhex(data), 0)


def test_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list and its three numbers are four; one of 2^31 is not begun."""
    data = bytes.fromhex("19 35 02 02 02 00")
    monkeypatch.setattr(thrift, "MOST", 4)
    assert read_struct(data, 0)[0] == {1: [1, 1, 1]}
    monkeypatch.setattr(thrift, "MOST", 3)
    with pytest.raises(TooManyError):
        read_struct(data, 0)

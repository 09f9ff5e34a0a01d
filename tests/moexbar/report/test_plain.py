"""Values as plain data and back: one rule for each kind, and what is not as written is named."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from ir.errors import InputError
from moexbar.report.plain import FLAT, OPTIONAL, as_json
from moexbar.report.reading import typed


class Colour(StrEnum):
    """An enum."""

    RED = "red"


@dataclass(frozen=True)
class Inner:
    """A part."""

    number: int
    share: float | None


@dataclass(frozen=True)
class Other:
    """Another part."""

    why: str


@dataclass(frozen=True)
class Whole:
    """One field for each rule."""

    inner: Inner = field(metadata=FLAT)
    pair: tuple[int, float]
    names: tuple[str, ...]
    parts: dict[str, Inner]
    kind: Literal["up", "down"]
    either: Inner | Other
    anything: bool | int | float | str | None
    left_out: int | None = field(default=None, metadata=OPTIONAL)


WHOLE = Whole(Inner(3, 0.25), (1, 2.0), ("a",), {"p": Inner(1, None)}, "up", Other("so"), "x")
PLAIN = {
    "number": 3,  # of `inner`, which is flat
    "share": 0.25,
    "pair": [1, 2.0],
    "names": ["a"],
    "parts": {"p": {"number": 1, "share": None}},
    "kind": "up",
    "either": {"why": "so"},
    "anything": "x",
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.float32(0.5), 0.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.0, np.nan]), [1.0, None]),
        (math.inf, None),
        ((), []),
        (Colour.RED, "red"),
        (Path("a") / "b", "a/b"),
        ({1: (2,)}, {"1": [2]}),
        (True, True),
    ],
)
def test_kinds_of_values(value: object, expected: object) -> None:
    found = as_json(value)
    assert found == expected
    assert type(found) is type(expected)


def test_what_has_no_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="set: no rule"):
        as_json({"a": {1, 2}})
    with pytest.raises(TypeError, match="type: no rule"):  # a class is no value
        as_json(Inner)


def test_there_and_back() -> None:
    assert as_json(WHOLE) == PLAIN
    assert list(as_json(WHOLE)) == list(PLAIN)
    assert typed(Whole, PLAIN, "f") == WHOLE
    assert as_json(typed(Whole, PLAIN | {"left_out": 7}, "f"))["left_out"] == 7


def test_a_whole_number_is_a_number_and_a_key_of_no_field_is_passed_over() -> None:
    found = typed(Whole, PLAIN | {"pair": [1, 2], "share": 1, "new": 0}, "f")
    assert [type(v) for v in found.pair] == [int, float]
    assert type(found.inner.share) is float
    # but where both may stand, each stays what it is
    for value in (1, 1.5, True, None, "1"):
        assert type(typed(Whole, PLAIN | {"anything": value}, "f").anything) is type(value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": "3"}, "number: found '3', expected a whole number"),
        ({"number": True}, "number: found True, expected a whole number"),
        ({"number": 3.0}, "number: found 3.0, expected a whole number"),
        ({"share": "much"}, "share: found 'much', expected a number"),
        ({"share": math.inf}, "share: found inf, expected a number"),
        ({"share": 10**400}, "share: found 1000"),
        ({"pair": [1]}, "pair: 1 values, expected 2"),
        ({"pair": [1, None]}, r"pair\[1\]: found None, expected a number"),
        ({"names": "a"}, "names: found 'a', expected a list"),
        ({"names": ["a", 1]}, r"names\[1\]: found 1, expected a text"),
        ({"parts": []}, "parts: found a list, expected an object"),
        ({"parts": {"p": {"number": 1}}}, r"parts\.p\.share: missing"),
        ({"kind": "left"}, "kind: found 'left', expected one of up, down"),
        ({"kind": ["up"]}, "kind: found a list, expected one of up, down"),
        ({"either": {}}, "either: found an object, expected an object with number or an object w"),
        ({"either": {"why": 1}}, r"either\.why: found 1, expected a text"),
        (
            {"anything": []},
            "anything: found a list, expected true or false or a whole number below",
        ),
        ({"left_out": "7"}, "left_out: found '7', expected a whole number"),
        ({"number": "\x1b" * 99}, r"number: found '\\x1b.*\.\.\., expected"),
    ],
)
def test_what_is_not_as_written(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"f: {message}") as caught:
        typed(Whole, PLAIN | change, "f")
    assert len(str(caught.value)) < 200


def test_what_is_missing_and_what_is_no_object() -> None:
    with pytest.raises(InputError, match="f: kind: missing; compile again"):
        typed(Whole, {name: value for name, value in PLAIN.items() if name != "kind"}, "f")
    with pytest.raises(InputError, match="f: x: found a list, expected an object"):
        typed(Whole, [], "f", "x")

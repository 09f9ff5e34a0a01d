"""Arguments of the functions of `import moexbar`: their kinds, checked where they come in."""

from collections.abc import Mapping
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from ir.arrays import Array
from ir.errors import InputError
from ir.lengths import Tokens

SHOWN = 60  # characters of a wrong value in a message


def shown(value: object) -> str:
    """A wrong value, short and printable."""
    text = ascii(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def whole(name: str, value: object, least: int = 0) -> int:
    """A whole number of at least `least`; InputError naming the argument otherwise."""
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise InputError(name, f"{shown(value)}, expected a whole number")
    number = index(value)
    if number < least:
        raise InputError(name, f"{number}, expected at least {least}")
    return number


def lengths(name: str, value: object) -> Tokens:
    """A length of at least 1, or one for each side of a model; InputError naming the argument."""
    if not isinstance(value, tuple | list):
        return whole(name, value, 1)
    if not value:
        raise InputError(name, "no number, expected a length, or one for each side")
    found = tuple(whole(f"{name}[{place}]", each, 1) for place, each in enumerate(value))
    return found if len(found) > 1 else found[0]


def check(name: str, value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """InputError naming the argument where it is of none of the kinds."""
    if not isinstance(value, kinds):
        raise InputError(name, f"{shown(value)}, expected {expected}")


def check_path(name: str, value: object, expected: str) -> None:
    """InputError naming the argument where it is no path."""
    check(name, value, (str, Path), expected)


def check_spans(**spans: object) -> None:
    """InputError naming the argument that is not two numbers."""
    for name, span in spans.items():
        ends = span if isinstance(span, tuple | list) else ()
        if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
            expected = "two fractions of the sequences, such as (0, 0.5)"
            raise InputError(name, f"{shown(span)}, expected {expected}")


def arrays(name: str, value: Mapping[Any, Any]) -> dict[str, Array]:
    """Arrays by name, of arrays or nested lists of numbers; InputError for anything else."""
    found: dict[str, Array] = {}
    for key, given in value.items():
        check(name, key, str, "the name of a model input")
        try:
            array = np.asarray(given)
        except ValueError as error:
            problem = f"{key!r}: rows of different lengths, expected an array of numbers"
            raise InputError(name, problem) from error
        if array.dtype.kind not in "iufb":
            problem = f"{key!r}: {shown(given)}, expected an array of numbers"
            raise InputError(name, problem)
        found[key] = array
    return found

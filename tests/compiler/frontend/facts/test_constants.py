"""What a constant is a part of, and where it is a tensor of its own or none at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.frontend.facts.constants import Axis, View, view_of, weight_of
from tests.compiler.frontend import models as m
from tests.compiler.frontend.facts.graphs import Facts

MS = "com.microsoft"
Make = Callable[[m.Graph, str], str]  # of a stored stack [4, 6, 16]


def view(folder: Path, make: Make) -> tuple[View | None, str, str]:
    """With the names of the stack and of what is made of it."""
    g = m.Graph()
    stack = g.weight(4, 6, 16)
    made = make(g, stack)
    facts = Facts(folder, g, [made])
    return view_of(facts.graph, facts.sizes, facts.values[made]), stack, made


def cut(g: m.Graph, value: str, start: int, end: int, step: int) -> str:
    return g("Slice", value, *(g.constant([n]) for n in (start, end, 0, step)))


def unknown(g: m.Graph, *numbers: int) -> str:
    """Whole numbers that an operator makes of which nothing is computed here."""
    made = g("Gelu", g.constant(numbers, np.float32), domain=MS)
    return g("Cast", made, to=7)


ALL = Axis(1, 6), Axis(2, 16)
PARTS: dict[str, tuple[Make, tuple[Axis, ...]]] = {
    "one entry": (lambda g, w: g("Gather", w, g.constant(2), axis=0), ALL),
    "one entry with its axis": (
        lambda g, w: g("Gather", w, g.constant([2]), axis=0),
        (Axis(0, 1, 2, part=True), *ALL),
    ),
    "an axis put in and taken out": (
        lambda g, w: g("Gather", g("Unsqueeze", w, g.constant([1])), g.constant(0), axis=1),
        (Axis(0, 4), *ALL),
    ),
    "every other": (lambda g, w: cut(g, w, 1, 4, 2), (Axis(0, 2, 1, 2, part=True), *ALL)),
    "from behind": (lambda g, w: cut(g, w, -3, -1, 1), (Axis(0, 2, 1, part=True), *ALL)),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts(name: str, tmp_path: Path) -> None:
    make, axes = PARTS[name]
    found, stack, _ = view(tmp_path, make)
    assert found is not None
    assert (found.tensor, found.axes) == (stack, axes)
    assert found.fixed == (((0, 2),) if name == "one entry" else ())


OWN: dict[str, tuple[Make, tuple[int, ...]]] = {
    "two entries in another order": (
        lambda g, w: g("Gather", w, g.constant([2, 1]), axis=0),
        (2, 6, 16),
    ),
    "backwards": (lambda g, w: cut(g, w, 3, 0, -1), (3, 6, 16)),
    "axes put together": (lambda g, w: g("Reshape", w, g.constant([24, 16])), (24, 16)),
}


@pytest.mark.parametrize("name", OWN)
def test_tensors_of_their_own(name: str, tmp_path: Path) -> None:
    """No part of what is stored: what the node makes is computed where it is needed."""
    make, shape = OWN[name]
    found, _, made = view(tmp_path, make)
    assert found is not None
    assert (found.tensor, found.shape) == (made, shape)


NONE: dict[str, Make] = {
    "another operator": lambda g, w: g("Gelu", w, domain=MS),
    "past another operator": lambda g, w: g("Add", g("Gelu", w, domain=MS), w),
    "an unknown shape": lambda g, w: g("Reshape", w, unknown(g, 24, 16)),
    "unknown parts": lambda g, w: g.split(w, unknown(g, 1, 3), 2)[0],
    "an unknown start": lambda g, w: g("Slice", w, unknown(g, 1), g.constant([4])),
    "an unknown entry": lambda g, w: g("Gather", w, unknown(g, 1), axis=0),
    "far more numbers than stored": lambda g, w: g("Expand", w, g.constant([9, 4, 6, 16])),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_not_followed(name: str, tmp_path: Path) -> None:
    assert view(tmp_path, NONE[name])[0] is None


def test_a_stack_is_no_matrix(tmp_path: Path) -> None:
    """Three axes of more than one entry: `Weight` says one matrix."""
    found, _, _ = view(tmp_path, lambda g, w: g("Identity", w))
    assert found is not None
    assert weight_of(found) is None
    assert weight_of(found.at(0, 3)) is not None

"""Forms of layers on several dies, each fire group on a random one, compute the model.

What crosses links is another value in each: hidden vectors, weights of inputs, results of one
matrix, choices of tokens, routings of sequences, keys.
"""

from pathlib import Path

import numpy as np
import pytest

from backends.functional import TOLERANCE, compare, execute
from backends.simulate import replay
from ir.compiled import Compiled
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from tests.chain.recipe import Layer, Model, OnDies, Recipe, Span
from tests.chain.run import case_of, compile_recipe, read_recipe

ROUTER = {"digital": {"router_on": "crossbar"}}
AHEAD = {"digital": {"experts_wait_for_router": False}}
RING, MESH, STAR = (
    OnDies(4, "ring", seed=1),
    OnDies(9, seed=2),
    OnDies(5, "table", joined=((0, 2), (1, 2), (2, 3), (2, 4)), seed=3),
)
TWO = (Layer(), Layer("dense"))

CASES: dict[str, Recipe] = {
    "two layers": Recipe(Model(TWO), Span(6), dies=RING),
    "two layers on nine dies": Recipe(Model(TWO), Span(6), dies=MESH),
    "two layers about a hub": Recipe(Model(TWO), Span(6), dies=STAR),
    "every die joined to all": Recipe(Model(TWO), Span(6), dies=OnDies(4, "all-to-all")),
    "a column of dies": Recipe(Model(TWO), Span(6), dies=OnDies(5, columns=1)),
    "a mesh whose last row is not full": Recipe(Model(TWO), Span(6), dies=OnDies(8, seed=4)),
    "decode steps": Recipe(Model(TWO), Span(4, 2), dies=RING),
    "decode steps without caches": Recipe(Model(TWO), Span(4, 2, kv=False), dies=RING),
    "keys in buffers": Recipe(Model(TWO), Span(4, 2), {"memory": {"kv": "buffers"}}, dies=RING),
    "expert choice": Recipe(Model((Layer("expert choice"),)), Span(6, 0, 2), dies=RING),
    "expert choice, decode steps": Recipe(
        Model((Layer("expert choice"),)), Span(6, 2, 2), dies=RING
    ),
    "expert choice, nothing kept": Recipe(
        Model((Layer("expert choice, stacked"),)), Span(6, 2, kv=False, go=False), dies=MESH
    ),
    "weights on the input": Recipe(
        Model((Layer("weights on the input", top=1, shared=""),)), Span(6), dies=RING
    ),
    "weights on the input, ahead of the router": Recipe(
        Model((Layer("weights on the input", top=1),)), Span(6), AHEAD, dies=RING
    ),
    "single matrices": Recipe(Model((Layer("single matrices"),)), Span(6), dies=RING),
    "single matrices with a curve": Recipe(
        Model((Layer("single matrices, gathered", act="gelu"),)), Span(6, 1), dies=MESH
    ),
    "a shared expert": Recipe(Model((Layer(shared="gated"),)), Span(6, 1), dies=RING),
    "a shared expert that is not gated": Recipe(
        Model((Layer(shared="plain", gated=False),)), Span(6), ROUTER, dies=MESH
    ),
    "a shared expert with a gate": Recipe(
        Model((Layer(shared="with a gate"),)), Span(6), ROUTER, dies=RING
    ),
    "a shared expert, copies": Recipe(
        Model((Layer(shared="with a gate"),)), Span(6), ROUTER, {"dense_copies": 3}, dies=MESH
    ),
    "experts ahead of the router": Recipe(Model(TWO), Span(6), AHEAD, dies=MESH),
    "router on crossbars": Recipe(Model(TWO), Span(6), ROUTER, dies=RING),
    "two copies of dense blocks": Recipe(Model(TWO), Span(6), {}, {"dense_copies": 2}, dies=MESH),
    "replicas": Recipe(
        Model(TWO), Span(6), {}, {"grouping": "local-search", "replicas": 2}, dies=MESH
    ),
    "in parts": Recipe(
        Model(TWO, biased=True), Span(6, 1), dies=OnDies(4, "ring", area_um2=400, seed=5)
    ),
    "in parts of unlike widths, copies, sums on digital units": Recipe(
        Model(TWO, 16, biased=True),
        Span(6),
        {"accumulate": {"where": "dpu"}},
        {"dense_copies": 2},
        dies=OnDies(9, area_um2=2000, seed=6),
    ),
    "layers on the same experts": Recipe(
        Model((Layer(), Layer()), tied="experts"), Span(6), ROUTER, dies=MESH
    ),
    "layers alike in all": Recipe(Model((Layer(), Layer()), tied="all"), Span(5, 1), dies=RING),
    "unlike widths, packed": Recipe(
        Model((Layer("unlike widths", experts=5),)), Span(6), {}, {"pack": True}, dies=RING
    ),
    "digital units for so many peripheral groups": Recipe(
        Model(TWO), Span(6), {"digital": {"pgs_per_dpu": 3}}, dies=RING
    ),
    "an encoder and a decoder": Recipe(Model(TWO), Span(4, source=6), dies=RING),
    "attention apart": Recipe(Model((Layer("apart, sorted"),)), Span(6), dies=RING),
    "token by token": Recipe(Model(TWO), Span(5), {}, {}, 0, dies=RING),
    "by the solver": Recipe(Model(TWO), Span(6), dies=OnDies(4, "ring", solver="cp-sat")),
    "by search": Recipe(Model(TWO), Span(6), dies=OnDies(5, solver="search")),
}


@pytest.mark.parametrize("name", CASES)
def test_computes_the_model(name: str, tmp_path: Path, runtime: Runtime) -> None:
    ready = read_recipe(CASES[name], tmp_path, runtime)
    done = compile_recipe(ready)
    assert np.any(done.program.opcode == Opcode.CROSS)
    replay(done.program, done.chip)
    found = compare(execute(case_of(ready, done), runtime))
    assert (found.culprit, found.worst <= TOLERANCE) == (-1, True)


def crossed(done: Compiled) -> set[str]:
    """What makes the values that links carry: opcodes."""
    p = done.program
    made = {int(p.reads[row][0]) for row in np.flatnonzero(p.opcode == Opcode.CROSS).tolist()}
    return {Opcode(int(p.opcode[row])).name for row in made}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("two layers", {"NORM", "STORE", "TOPK", "MUL", "CROSS"}),
        ("weights on the input, ahead of the router", {"NORM", "TOPK", "MUL", "STORE"}),
        ("single matrices with a curve", {"NORM", "ACT", "TOPK"}),
        ("expert choice, decode steps", {"TOPK", "MUL"}),
    ],
)
def test_every_kind_of_value_crosses(
    name: str, wanted: set[str], tmp_path: Path, runtime: Runtime
) -> None:
    """Else the cases above would show nothing of it."""
    done = compile_recipe(read_recipe(CASES[name], tmp_path, runtime))
    assert wanted <= crossed(done)

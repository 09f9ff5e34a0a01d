"""Random models on random chips compute what ONNX Runtime computes, from model file to execution.

The cases are drawn one choice after the other (`draw`); `python -m benchmarks.random_models` draws
more of them, and says of a failing one which stage is the first to be wrong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from backends.functional import TOLERANCE
from ir.compiled import Compiled
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.workload import Digital, MoELayer
from tests.chain.choices import drawn
from tests.chain.corpus import CORPUS
from tests.chain.draw import draw_recipe
from tests.chain.recipe import Recipe
from tests.chain.run import Ready, compile_recipe, read_recipe, run_recipe
from tests.chain.stages import first_wrong

PARTS, EACH = 10, 50  # 500 cases, in parts so that several processes may share them
RARE: dict[str, dict[str, Any]] = {  # choices that lead to what is drawn too unevenly
    "dense copies": {"dense copies": 2},
    "trees": {"three tiles and more": True},
    "stacks": {"stacks": True, "method": 3},
    "crossings": {"stacks": False, "dies": True},
}
TRIES = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain")


@pytest.mark.parametrize("name", CORPUS)
def test_once_failed(name: str, folder: Path, runtime: Runtime) -> None:
    done = run_recipe(CORPUS[name], folder, runtime)
    assert done.worst <= TOLERANCE


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    def choose(_: str, options: Sequence[Any]) -> Any:
        return draw(st.sampled_from(options))

    return draw_recipe(choose)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_computes_the_model(
    part: int, folder: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the cases of a part have streamed attention at least, and a tenth in tiles.

    Some have copies of dense blocks, sums in a tree of three tiles or more, stacks of a layer and
    across layers, and values that cross from die to die.
    """
    found = Counter[str]()

    def counted(ready: Ready) -> Compiled:
        done = compile_recipe(ready)
        found.update((*streams_of(done), *sharing_of(done)))
        return done

    monkeypatch.setattr("tests.chain.run.compile_recipe", counted)

    @seed(part)
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(recipes())
    def check(recipe: Recipe) -> None:
        done = run_recipe(recipe, folder, runtime)
        assert done.worst <= TOLERANCE

    for number, (kind, made) in enumerate(RARE.items()):
        for case in range(TRIES if not found[kind] else 0):
            done = run_recipe(with_choices(made, (part, number, case)), folder, runtime)
            assert done.worst <= TOLERANCE
            if found[kind]:
                break
    check()
    assert found["programs"] >= EACH
    assert found["streams"] >= EACH // 2
    assert found["tiles"] >= EACH // 10
    assert found["dense copies"] > 0
    assert found["trees"] > 0
    assert found["stacks"] > 0
    assert found["crossings"] > 0


def with_choices(made: dict[str, Any], seed: tuple[int, ...]) -> Recipe:
    """A case of a seed, but for some choices by name."""
    random = np.random.default_rng(seed)

    def choose(name: str, options: Sequence[Any]) -> Any:
        drawn = options[int(random.integers(len(options)))]
        return made[name] if name in made and made[name] in options else drawn

    return draw_recipe(choose)


def streams_of(done: Compiled) -> Iterator[str]:
    """What is counted of a program: itself, and whether it has streams, in tiles of several."""
    yield "programs"
    p, widths = done.program, np.array([op.width for op in done.workload.operators])
    jobs = (p.opcode == Opcode.ATTN) & (p.token >= 0)
    if jobs.any():
        yield "streams"
    if (p.bytes > widths[p.node])[jobs].any():  # numbers of 8 bits
        yield "tiles"


def sharing_of(done: Compiled) -> Iterator[str]:
    """What is counted of its sharing: copies of dense blocks, stacks, trees, broadcasts, dies.

    Trees: those that are no chains. A broadcast: a LOAD that brings a vector to a layer's router or
    shared expert, and to others.
    """
    p = done.program
    if done.mapping.dense_copies > 1:
        yield "dense copies"
    if any(len(stack) > 1 for stack in done.mapping.stacks.stacks):
        yield "stacks"
    if any(region.guests for region in done.mapping.placement.regions):
        yield "stacks across layers"
    if np.any(p.opcode == Opcode.CROSS):
        yield "crossings"
    if any(isinstance(op, Digital) and op.kind == "join" for op in done.workload.operators):
        yield "parts"
    in_pairs = done.chip.accumulate.where == "pg" and done.chip.accumulate.order == "tree"
    if in_pairs and any(block.rows > 2 for block in done.mapping.blocks):
        yield "trees"
    moe = [isinstance(op, MoELayer) for op in done.workload.operators]
    reader, read = p.reads.rows(), p.reads.values
    uses = (p.opcode[reader] == Opcode.MVM) & (p.opcode[read] == Opcode.LOAD) & (p.slot[read] < 0)
    to_layers = np.bincount(read[uses & np.array(moe)[p.node[reader]]], minlength=len(p))
    matrices = np.bincount(read[uses], minlength=len(p))
    if np.any((to_layers > 0) & (matrices > 1)):
        yield "broadcasts"


def test_what_is_shared_is_drawn(folder: Path, runtime: Runtime) -> None:
    """Of 200 cases a tenth at least have each, and the first that has all of it compiles to it.

    Without stacks, to which the first three of several layers compile that have some.
    """
    recipes = [drawn(0, number)[0] for number in range(200)]
    copies = [recipe.options["dense_copies"] > 1 for recipe in recipes]
    trees = [recipe.chip["crossbar"]["rows"] == 3 for recipe in recipes]
    beside = [
        recipe.chip["digital"]["router_on"] == "crossbar"
        and all(layer.shared for layer in recipe.model.layers if layer.form != "dense")
        for recipe in recipes
    ]
    assert min(sum(copies), sum(trees), sum(beside)) >= len(recipes) // 10
    dies = [recipe.dies is not None for recipe in recipes]
    assert sum(dies) >= len(recipes) // 10
    apart = [recipe.stacks is None and recipe.dies is None for recipe in recipes]
    assert sum(recipe.stacks is not None for recipe in recipes) >= len(recipes) // 10
    every = [all(of) for of in zip(copies, trees, beside, apart, strict=True)]
    done = compile_recipe(read_recipe(recipes[every.index(True)], folder, runtime))
    assert set(sharing_of(done)) == {"dense copies", "trees", "broadcasts"}
    several = [r for r in recipes if r.stacks is not None and len(r.model.layers) > 1]
    found = set[str]()
    for recipe in several[:3]:
        found.update(sharing_of(compile_recipe(read_recipe(recipe, folder, runtime))))
    assert {"stacks", "stacks across layers"} <= found


def test_dies_are_drawn(folder: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first drawn cases of dies by solvers and at random compute the model, stage by stage."""
    found = set[str]()

    def counted(ready: Ready) -> Compiled:
        done = compile_recipe(ready)
        found.update(sharing_of(done))
        return done

    monkeypatch.setattr("tests.chain.stages.compile_recipe", counted)
    recipes = [drawn(0, number)[0] for number in range(200)]
    on_dies = [(recipe, recipe.dies) for recipe in recipes if recipe.dies is not None]
    for solver, area in (("random", 0), ("random", 400), ("auto", 0)):
        of = [r for r, d in on_dies if (d.solver, d.area_um2) == (solver, area)]
        assert first_wrong(of[0], folder, runtime) is None
    assert {"crossings", "parts"} <= found

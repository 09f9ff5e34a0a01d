"""What each stage makes of random models means what it was given; and a wrong one is found.

Every check is broken once: the stage's output is changed by hand, and the check must say so.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings

from ir.compiled import Compiled
from ir.errors import CheckError
from ir.mapping import Mapping
from ir.onnxdoor.processes.session import Runtime
from ir.workload import MoELayer
from tests.backends.functional import mutate
from tests.chain.recipe import Layer, Model, Recipe, Span
from tests.chain.run import Ready, compile_recipe, read_recipe
from tests.chain.stages import COMPILED, check_front_end, first_wrong
from tests.chain.test_random_models import recipes

RECIPE = Recipe(Model((Layer(shared="gated"),)), Span(decode=2), chip={"crossbar": {"rows": 5}})


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Ready:
    return read_recipe(RECIPE, tmp_path_factory.mktemp("chain"), runtime)


@pytest.fixture(scope="module")
def done(ready: Ready) -> Compiled:
    return compile_recipe(ready)


@pytest.mark.slow
def test_every_stage(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> None:
    folder = tmp_path_factory.mktemp("chain")

    @seed(0)
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(recipes())
    def check(recipe: Recipe) -> None:
        assert first_wrong(recipe, folder, runtime) is None

    check()


def test_operators_in_another_order_of_experts(ready: Ready, runtime: Runtime) -> None:
    """The front end would have numbered two experts the other way round."""
    operators = list(ready.workload.operators)
    at = next(i for i, op in enumerate(operators) if isinstance(op, MoELayer))
    layer = operators[at]
    assert isinstance(layer, MoELayer)
    operators[at] = replace(layer, experts=(*layer.experts[1::-1], *layer.experts[2:]))
    check_front_end(ready, runtime)
    wrong = replace(ready, workload=replace(ready.workload, operators=tuple(operators)))
    with pytest.raises(AssertionError, match="operators' outputs are off"):
        check_front_end(wrong, runtime)


def _mapped(done: Compiled, **changes: Any) -> Compiled:
    mapping = done.mapping
    placement = replace(mapping.placement, **changes)
    return replace(done, mapping=Mapping(mapping.blocks, mapping.grouping, placement))


def _shifted(done: Compiled) -> Compiled:
    """A tile one row further down."""
    spots = done.mapping.placement.spots.copy()
    spots[0, :, 1] += 1
    return _mapped(done, spots=spots)


def _on_one_crossbar(done: Compiled) -> Compiled:
    """All experts of a group on its first crossbar."""
    spots = done.mapping.placement.spots.copy()
    spots[:, :, 0] = 0
    return _mapped(done, spots=spots)


def _lost_block(done: Compiled) -> Compiled:
    return replace(done, mapping=replace(done.mapping, blocks=done.mapping.blocks[:-1]))


def _lost_row_of_tiles(done: Compiled) -> Compiled:
    blocks = list(done.mapping.blocks)
    at = next(i for i, b in enumerate(blocks) if b.rows > 1)
    blocks[at] = replace(blocks[at], rows=blocks[at].rows - 1)
    return replace(done, mapping=replace(done.mapping, blocks=tuple(blocks)))


def _large_group(done: Compiled) -> Compiled:
    layer = done.mapping.grouping.layers[0]
    groups = (tuple(sorted(e for g in layer.groups for e in g)),)
    grouping = replace(done.mapping.grouping, layers=(replace(layer, groups=groups),))
    return replace(done, mapping=replace(done.mapping, grouping=grouping))


def _ordered(done: Compiled, **changes: Any) -> Compiled:
    """The last step's order of the first layer with columns changed."""
    *before, last = done.schedule.steps
    order = replace(last.layers[0], **changes)
    steps = (*before, replace(last, layers=(order, *last.layers[1:])))
    return replace(done, schedule=replace(done.schedule, steps=steps))


def _pair_lost(done: Compiled) -> Compiled:
    order = done.schedule.steps[-1].layers[0]
    names = ("token", "expert", "replica", "group", "slot")
    return _ordered(done, **{name: getattr(order, name)[:-1] for name in names})


def _another_token(done: Compiled) -> Compiled:
    return _ordered(done, token=done.schedule.steps[-1].layers[0].token - 1)


def _two_in_a_slot(done: Compiled) -> Compiled:
    order = done.schedule.steps[-1].layers[0]
    return _ordered(done, slot=np.zeros_like(order.slot), group=np.zeros_like(order.group))


def _too_early(done: Compiled) -> Compiled:
    p = done.program
    row = int(np.argmax(p.start_ps))
    return replace(done, program=mutate.put(p, "start_ps", row, 0))


BREAKS: dict[str, tuple[str, Callable[[Compiled], Compiled]]] = {
    "a tile one row down": ("partition and placement", _shifted),
    "experts on one crossbar": ("partition and placement", _on_one_crossbar),
    "a matrix forgotten": ("partition and placement", _lost_block),
    "a row of tiles forgotten": ("partition and placement", _lost_row_of_tiles),
    "a group larger than mux": ("grouping", _large_group),
    "a pair forgotten": ("slot schedule", _pair_lost),
    "another token's pair": ("slot schedule", _another_token),
    "two pairs in one slot": ("slot schedule", _two_in_a_slot),
    "an instruction too early": ("times", _too_early),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_stage_is_found(name: str, ready: Ready, done: Compiled) -> None:
    stage, broken = BREAKS[name]
    COMPILED[stage](ready, done)
    with pytest.raises((AssertionError, CheckError)):
        COMPILED[stage](ready, broken(done))

"""Which instruction is named where a result is wrong, and what is not wrong: near ties."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.functional import Case, compare, execute
from backends.functional.crossbars import Crossbars, Tiles
from ir.errors import CheckError
from ir.mapping import Owner, RoutedOwner, SharedOwner
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.routing import Routing
from tests.backends.functional import mutate
from tests.backends.functional.mutate import rows
from tests.backends.functional.small import small_case
from tests.compiler.frontend import models as m
from tests.compiler.frontend.mixed_attention import around


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """A layer with a gated shared expert."""
    folder = tmp_path_factory.mktemp("shared")
    return small_case(runtime, folder, m.dense_masked(m.sigmoid_topk, shared=m.gated_shared))


def tiles_of(crossbars: Crossbars, role: str, owner: Owner) -> Tiles:
    """The tiles of one matrix of an expert."""
    return next(t for t in crossbars.tiles if (t.block.role, t.block.owner) == (role, owner))


@pytest.mark.parametrize(("role", "stage"), [("up", 0), ("gate", 0), ("down", 1)])
def test_a_wrong_weight_of_a_shared_expert(
    shared: Case, runtime: Runtime, role: str, stage: int
) -> None:
    """One cell of its first tile: the first MVM of the shared expert on these PGs is named."""
    crossbars = Crossbars(shared.mapping, shared.chip, shared.source)
    tiles = tiles_of(crossbars, role, SharedOwner(0))
    crossbars.cells[int(tiles.pg[0, 0]), int(tiles.spot[0, 0, 0])][0, 0] += 3
    culprit = compare(execute(shared, runtime, crossbars)).culprit
    p = shared.program
    assert p.opcode[culprit] == Opcode.MVM
    assert (p.expert[culprit], p.stage[culprit]) == (-1, stage)
    unit = p.units[int(p.unit[culprit])]
    assert unit.first_pg <= tiles.pg[0, 0] < unit.first_pg + unit.pgs


def test_a_wrong_vector_of_a_shared_expert(shared: Case, runtime: Runtime) -> None:
    """Its LOAD brings another token's: the LOAD is named, its MVM did as it was told."""
    p = shared.program
    index = shared.workload.operators.index(shared.workload.moe_layers[0])
    firsts = [r for r in rows(p, Opcode.MVM, node=index, stage=0) if p.expert[r] < 0]
    loads = [int(p.reads[r][0]) for r in firsts]
    late, early = loads[-1], loads[-2]
    (own,), (other,) = p.reads[late].tolist(), p.reads[early].tolist()
    changed = mutate.read_instead(p, late, own, other)
    assert compare(execute(shared.running(changed), runtime)).culprit == late


def close_pairs(g: m.Graph, x: str) -> tuple[str, str]:
    """The best expert of four, of which two and two have scores that differ in the last digits."""
    columns = (g.random.standard_normal((g.d, 4)) * g.d**-0.5).astype(np.float32)
    columns[:, 1::2] = np.nextafter(columns[:, ::2], np.float32(2) * columns[:, ::2])
    logits = g("MatMul", x, g.constant(columns, np.float32))
    best, ids = g.many("TopK", logits, g.constant([1]), outputs=2, axis=-1)
    return ids, g("Softmax", best, axis=-1)


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    return small_case(
        runtime, tmp_path_factory.mktemp("tied"), m.dense_masked(close_pairs), tokens=40
    )


def before_the_router(case: Case, error: float) -> Crossbars:
    """The matrix before the layer, the attention's last, off by about this much of each weight."""
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    index = case.workload.operators.index(case.workload.moe_layers[0])
    tiles = [t for t in crossbars.tiles if t.block.role == "dense" and t.block.operator < index][-1]
    noise = np.random.default_rng(0)
    for pg, spot in zip(tiles.pg.ravel(), tiles.spot.reshape(-1, 3), strict=True):
        cells = crossbars.cells[int(pg), int(spot[0])]
        cells *= 1 + error * noise.standard_normal(cells.shape).astype(np.float32)
    return crossbars


def test_scores_equal_up_to_rounding_are_near_ties(tied: Case, runtime: Runtime) -> None:
    """Vectors 1e-6 off turn the order of scores that differ by 1e-7: counted, and all is right."""
    done = compare(execute(tied, runtime, before_the_router(tied, 2e-6)))
    assert done.culprit == -1
    assert done.near_ties > 0
    assert 1e-7 < done.worst < 1e-5


def test_without_a_tie_the_same_error_changes_nothing(shared: Case, runtime: Runtime) -> None:
    done = compare(execute(shared, runtime, before_the_router(shared, 2e-6)))
    assert (done.culprit, done.near_ties) == (-1, 0)


def test_vectors_that_differ_are_no_near_ties(tied: Case, runtime: Runtime) -> None:
    """1e-3 off is a wrong vector, whatever the scores: the other selection is an error."""
    with pytest.raises(CheckError, match="where the router of layer 0 selects"):
        execute(tied, runtime, before_the_router(tied, 1e-3))


def test_another_expert_than_the_model_selects(
    tmp_path_factory: pytest.TempPathFactory, runtime: Runtime
) -> None:
    """One token goes to an expert of the other pair, for which it has quite another score."""

    def reroute(recorded: Routing) -> Routing:
        assert recorded.choices is not None
        choices = recorded.choices.copy()
        choices[0, 3] = (choices[0, 3] + 2) % 4
        return replace(recorded, choices=choices)

    folder = tmp_path_factory.mktemp("rerouted")
    case = small_case(runtime, folder, m.dense_masked(close_pairs), tokens=9, reroute=reroute)
    with pytest.raises(CheckError, match="where the router of layer 0 selects") as error:
        execute(case, runtime)
    assert "COMBINE layer 0 token 3" in error.value.culprit


@pytest.mark.parametrize("which", [0, 1])
def test_a_wrong_weight_of_experts_kept_apart(which: int, tmp_path: Path, runtime: Runtime) -> None:
    """Of a layer of outputs and of one of inputs: the MVM of that expert is named."""
    case = small_case(runtime, tmp_path, around("gathered"))
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    index = case.workload.operators.index(case.workload.moe_layers[which])
    p = case.program
    first = rows(p, Opcode.MVM, node=index)[0]
    expert = int(p.expert[first])
    tiles = next(
        t
        for t in crossbars.tiles
        if t.block.operator == index and t.block.owner == RoutedOwner(expert)
    )
    crossbars.cells[int(tiles.pg[0, 0]), int(tiles.spot[0, 0, 0])][0, 0] += 3
    culprit = compare(execute(case, runtime, crossbars)).culprit
    assert (p.opcode[culprit], p.node[culprit], p.expert[culprit]) == (Opcode.MVM, index, expert)

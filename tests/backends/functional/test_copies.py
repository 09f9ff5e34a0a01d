"""Copies of dense blocks, executed: each token's product on the cells of one copy."""

import numpy as np
import pytest

from backends.functional import Case, compare, execute
from backends.functional.crossbars import Crossbars
from ir.mapping import DenseOwner, Owner, SharedOwner
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from tests.backends.functional.small import run_case, small_case
from tests.compiler.frontend import models as m
from tests.make import small_chip

CHIP = small_chip(digital={"router_on": "crossbar"})


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """Projections, a gated shared expert and a router on crossbars, three of each."""
    block = m.dense_masked(shared=m.gated_shared)
    folder = tmp_path_factory.mktemp("model")
    return small_case(runtime, folder, block, chip=CHIP, decode=4, dense_copies=3)


def test_computes_the_model(case: Case, runtime: Runtime) -> None:
    assert case.mapping.dense_copies == 3
    done = run_case(runtime, case)
    assert (done.culprit, done.near_ties) == (-1, 0)
    assert done.worst < 2e-6


@pytest.mark.parametrize("owner", [DenseOwner(2), SharedOwner(0, 2)], ids=["dense", "shared"])
def test_other_numbers_in_a_copy(case: Case, runtime: Runtime, owner: Owner) -> None:
    """Cells of the third copy a hundredth too large: an MVM of every third token is named."""
    crossbars = Crossbars(case.mapping, case.chip, case.source)
    tiles = next(t for t in crossbars.tiles if t.block.owner == owner)
    crossbars.cells[int(tiles.pg[0, 0]), int(tiles.spot[0, 0, 0])] *= np.float32(1.01)
    culprit = compare(execute(case, runtime, crossbars)).culprit
    p = case.program
    assert p.opcode[culprit] == Opcode.MVM
    assert (p.replica[culprit], p.token[culprit] % 3) == (2, 2)
    assert p.expert[culprit] == -1

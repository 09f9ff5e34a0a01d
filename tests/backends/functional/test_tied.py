"""Dense products with one matrix stand on one set of crossbars, which serves all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from backends.functional import Case
from ir.arrays import Ints
from ir.mapping import DenseOwner
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from tests.backends.functional.small import case_of, run_case
from tests.compiler.frontend import models as m
from tests.make import small_chip

LAYERS, TOKENS = 3, 9
ONE_MOE = [m.gather_batched(), m.gated, m.gated]
ALL_MOE = [m.gather_batched()] * LAYERS
Turns = dict[tuple[int, ...], int]
ATTENTION: Turns = {(m.D, m.D): 4}  # q, k, v, o
ALL: Turns = {**ATTENTION, (m.D, m.HIDDEN): 2, (m.HIDDEN, m.D): 1}  # and gate, up; down


@dataclass
class Tied(m.Graph):
    """Every layer has the matrices of the first; turns: how many of each shape a layer has."""

    turns: Turns = field(default_factory=dict)
    written: dict[tuple[int, ...], list[str]] = field(default_factory=dict)

    def weight(self, *shape: int, scale: float | None = None) -> str:
        names = self.written.setdefault(shape, [])
        turns = self.turns.get(shape, len(names) + 1)
        names.append(names[-turns] if len(names) >= turns else super().weight(*shape, scale=scale))
        return names[-1]


def tied_case(
    runtime: Runtime,
    folder: Path,
    blocks: Sequence[Callable[[m.Graph, str], str]],
    turns: Turns,
    *,
    decode: int = 0,
    sequences: int = 1,
    biased: bool = False,
) -> Case:
    graph = m.transformer(Tied(turns=turns, biased=biased), blocks)
    path = graph.model(folder / "m.onnx", m.LOGITS)
    ids = m.token_ids(TOKENS, sequences)
    return case_of(runtime, path, ids, small_chip(), sequences, TOKENS, decode)


def dense_blocks(case: Case) -> int:
    return sum(isinstance(b.owner, DenseOwner) for b in case.executable.mapping.blocks)


def mvms(case: Case, unit: int) -> Ints:
    program = case.executable.program
    return np.flatnonzero((program.unit == unit) & (program.opcode == Opcode.MVM))


@pytest.mark.parametrize("decode", [0, 3])
def test_a_layer_that_has_no_crossbars_of_its_own(
    runtime: Runtime, tmp_path: Path, decode: int
) -> None:
    """q, k, v, o, gate, up, down once, and the head, which is in the last layer."""
    case = tied_case(runtime, tmp_path, ONE_MOE, ALL, decode=decode)
    assert dense_blocks(case) == 7 + 1
    assert case.executable.workload.regions == (0, 1, 2)
    assert run_case(runtime, case).worst < 1e-5


def test_one_unit_serves_every_layer_one_vector_at_a_time(runtime: Runtime, tmp_path: Path) -> None:
    """The first bank has 3 layers x 9 tokens to multiply, of as many operators, none at once."""
    case = tied_case(runtime, tmp_path, ONE_MOE, ALL)
    program = case.executable.program
    first = next(i for i, u in enumerate(program.units) if u.name.startswith("dense.0"))
    ids = mvms(case, first)
    assert len(ids) == LAYERS * TOKENS
    assert len(np.unique(program.node[ids])) == LAYERS
    order = ids[np.argsort(program.start_ps[ids])]
    assert (program.start_ps[order[1:]] >= program.end_ps[order[:-1]]).all()


def test_layers_with_experts_of_their_own(runtime: Runtime, tmp_path: Path) -> None:
    """Their attention is in the first layer's region: vectors go there and come back."""
    case = tied_case(runtime, tmp_path, ALL_MOE, ATTENTION, sequences=2)
    assert dense_blocks(case) == 4 + 1
    assert case.executable.workload.regions == (0, 1, 2)
    assert run_case(runtime, case).worst < 1e-5


def test_matrices_with_biases_of_their_own_are_copied(runtime: Runtime, tmp_path: Path) -> None:
    """A bias is added behind the crossbars, by units that know one: 3 x 4 blocks, and the head."""
    case = tied_case(runtime, tmp_path, ALL_MOE, ATTENTION, biased=True)
    assert dense_blocks(case) == 3 * 4 + 1


def test_products_of_one_input_by_one_matrix(runtime: Runtime, tmp_path: Path) -> None:
    """q, k, v and o are one matrix: the vector goes to its bank three times, and once as o's."""
    case = tied_case(runtime, tmp_path, [m.gather_batched()], {(m.D, m.D): 1})
    assert dense_blocks(case) == 1 + 1
    program = case.executable.program
    bank = next(i for i, u in enumerate(program.units) if u.name.startswith("dense.0"))
    assert len(mvms(case, bank)) == 4 * TOKENS
    assert run_case(runtime, case).worst < 1e-5

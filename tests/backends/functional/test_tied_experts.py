"""MoE layers with the same experts: these stand once, and all layers work on them in turn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.cost import cost
from backends.functional import Case
from backends.simulate import replay
from ir.mapping import DenseOwner, RoutedOwner
from ir.onnxdoor.session import Runtime
from ir.program import Opcode
from tests.backends.functional.small import case_of, run_case
from tests.backends.functional.test_tied import ALL, Tied, Turns
from tests.compiler.frontend import models as m
from tests.make import small_chip

TOKENS = 9
UP, DOWN = (m.EXPERTS, 2 * m.HIDDEN, m.D), (m.EXPERTS, m.D, m.HIDDEN)  # stacks of gate and up; down
EXPERTS: Turns = {UP: 1, DOWN: 1}
ROUTER: Turns = {(m.D, m.EXPERTS): 1}


def tied_case(
    runtime: Runtime,
    folder: Path,
    turns: Turns,
    *,
    layers: int = 2,
    sequences: int = 1,
    decode: int = 0,
    blocks: Sequence[m.Ffn] = (),
    chip: dict[str, Any] | None = None,
    **options: Any,
) -> Case:
    """Layers of which each has the matrices of the first, of the shapes in `turns`."""
    graph = m.transformer(Tied(turns=turns), blocks or [m.gather_batched()] * layers)
    path, ids = graph.model(folder / "m.onnx", m.LOGITS), m.token_ids(TOKENS, sequences)
    on = small_chip(**(chip or {}))
    return case_of(runtime, path, ids, on, sequences, TOKENS, decode, **options)


def expert_blocks(case: Case) -> int:
    return sum(isinstance(b.owner, RoutedOwner) for b in case.executable.mapping.blocks)


@pytest.mark.parametrize("turns", [EXPERTS, EXPERTS | ROUTER, EXPERTS | ROUTER | ALL])
@pytest.mark.parametrize("mux", [1, 2, 4])
def test_experts_stand_once(runtime: Runtime, tmp_path: Path, turns: Turns, mux: int) -> None:
    """Of two layers, whatever their routers: 4 experts x gate, up, down, in the first's region."""
    case = tied_case(runtime, tmp_path, turns, chip={"pg": {"mux": mux}})
    work, program = case.executable.workload, case.executable.program
    assert work.expert_homes == {0: 0, 1: 0}
    assert expert_blocks(case) == m.EXPERTS * 3
    assert [g.layer for g in case.executable.mapping.grouping.layers] == [0]
    assert len(np.unique(program.node[program.expert >= 0])) == 2
    replay(program, case.executable.chip)
    assert run_case(runtime, case).worst < 1e-5


@pytest.mark.parametrize("decode", [0, 3])
def test_three_layers_and_sequences(runtime: Runtime, tmp_path: Path, decode: int) -> None:
    case = tied_case(runtime, tmp_path, EXPERTS, layers=3, sequences=2, decode=decode)
    program, chip = case.executable.program, case.executable.chip
    assert expert_blocks(case) == m.EXPERTS * 3
    assert len(cost(program, chip).moe) == 3
    assert run_case(runtime, case).worst < 1e-5

"""An encoder and a decoder with the same matrices: one set of crossbars serves tokens of both.

Two sequences of 5 source and 3 target tokens.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.functional import Case
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from tests.backends.functional.small import case_of, run_case
from tests.backends.functional.test_tied import ALL, ATTENTION, Tied, Turns, dense_blocks
from tests.compiler.frontend import models as m
from tests.compiler.frontend import sides
from tests.make import small_chip

LENGTHS, SEQUENCES = (5, 3), 2


def case(runtime: Runtime, folder: Path, turns: Turns, layers: int, **chip: Any) -> Case:
    """Layers of a side, experts in the first; all have the matrices of the encoder's first."""
    blocks = [m.gather_batched(), *[m.gated] * (layers - 1)]
    graph = sides.encoder_decoder(Tied(turns=turns), blocks, blocks)
    path = sides.save(graph, folder / "m.onnx", sides.NAMES, 1)
    ids = sides.ids(*LENGTHS, SEQUENCES)
    return case_of(runtime, path, ids, small_chip(**chip), SEQUENCES, LENGTHS)


def test_each_product_has_the_tokens_of_its_side(runtime: Runtime, tmp_path: Path) -> None:
    """Of q and o of the encoder, of the decoder, and of its attention over it: 5 + 3 + 3.

    There k and v are of the encoder's tokens: 5 + 3 + 5. The head has the decoder's 3.
    """
    found = case(runtime, tmp_path, ATTENTION, 1)
    program, homes = found.executable.program, found.executable.workload.homes
    assert dense_blocks(found) == 4 + 1
    dense = np.array([u.name.startswith("dense.") for u in program.units])
    mvms = np.flatnonzero((program.opcode == Opcode.MVM) & dense[program.unit])
    banks = np.array(homes)[program.node[mvms]]
    counts = [int((banks == bank).sum()) for bank in np.unique(banks)]
    assert counts == [2 * n for n in (11, 13, 13, 11, 3)]
    assert run_case(runtime, found).worst < 1e-5


def test_layers_that_look_at_one_encoder(runtime: Runtime, tmp_path: Path) -> None:
    """Both layers of the decoder make the same k and v of it, each by a LOAD of its own."""
    found = case(runtime, tmp_path, ALL, 2)
    assert run_case(runtime, found).worst < 1e-5


@pytest.mark.parametrize("turns", [{}, ATTENTION])
def test_the_program_pays_for_the_hops_that_a_placement_counts(
    turns: Turns, runtime: Runtime, tmp_path: Path
) -> None:
    """The same program with and without energy per hop differs by packets x hops of its tokens."""
    per_hop, spent = 1000, list[int]()
    for fj in (per_hop, 0):
        found = case(runtime, tmp_path, turns, 1, mesh={"pgs_per_core": 1, "hop_fj": fj})
        spent.append(int(found.executable.program.energy_fj.sum()))
    known = found.executable.mapping.placement.certificate
    assert known is not None
    assert spent[0] - spent[1] == known.value * per_hop > 0

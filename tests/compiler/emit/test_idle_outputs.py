"""Router outputs that stand for no expert: a score each, and the token itself in its own sum."""

from dataclasses import replace

import numpy as np
import pytest

from ir import timing
from ir.compiled import Compiled
from ir.errors import CheckError, InputError
from ir.program import Opcode
from ir.verify import verify_program
from ir.workload import MoELayer, Workload
from tests.backends.functional import mutate
from tests.make import compile_small, small_chip, small_workload

CHOSEN = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=np.bool_)


def with_idle(idle: tuple[int, int], passing: tuple[int, ...], **sizes: float) -> Workload:
    """One layer of four experts, top-2, with further outputs of its router."""
    workload = small_workload(layers=1, **sizes)  # type: ignore[arg-type]
    operators = [
        replace(op, router=replace(op.router, idle=idle), passing=passing)
        if isinstance(op, MoELayer)
        else op
        for op in workload.operators
    ]
    return replace(workload, operators=tuple(operators))


def compiled(workload: Workload, **chip: dict[str, object]) -> Compiled:
    return compile_small(workload, small_chip(**chip), tokens=3, chosen={0: CHOSEN})


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_a_token_is_one_more_weighted_vector(scale: float) -> None:
    """Tokens with 2, 1 and 0 of their two picks on experts; the others pass them on.

    Sums of 2 (both experts), 2 (an expert and the token) and 1 vector (the token), all weighted:
    1 + 2, 1 + 2 and 0 + 1 operations, and one to scale.
    """
    done = compiled(with_idle((0, 2), (4, 5), scale=scale))
    p, chip = done.program, done.chip
    rows = np.flatnonzero(p.opcode == Opcode.COMBINE)
    scaled = scale != 1.0
    once = timing.add(chip, 20).duration_ps
    assert p.duration_ps[rows].tolist() == [once * (n + scaled) for n in (3, 3, 1)]
    norm = next(i for i, op in enumerate(done.workload.operators) if op.name == "norm_b0")
    for row, experts, itself in zip(rows.tolist(), (2, 1, 0), (0, 1, 1), strict=True):
        read = p.reads.values[p.reads.offsets[row] : p.reads.offsets[row + 1]]
        assert int((p.opcode[read] == Opcode.STORE).sum()) == experts
        assert int((p.node[read] == norm).sum()) == itself


def mixed() -> Compiled:
    """Output 4 gives nothing and 5 passes the token on, of which the trace tells the tokens.

    Token 1 picks an expert and output 4, token 2 picks both.
    """
    passed = {0: np.array([False, False, True])}
    workload = with_idle((0, 2), (5,))
    return compile_small(workload, small_chip(), tokens=3, chosen={0: CHOSEN}, passed=passed)


def test_one_output_of_each_kind() -> None:
    """Sums of 2 (both experts), 1 (an expert) and 1 vector (the token), all weighted.

    1 + 2, 0 + 1 and 0 + 1 operations; from the number of experts alone token 1 would have one more
    vector, weighted and added: 1 + 2.
    """
    done = mixed()
    p = done.program
    rows = np.flatnonzero(p.opcode == Opcode.COMBINE)
    once = timing.add(done.chip, 20).duration_ps
    assert p.duration_ps[rows].tolist() == [once * n for n in (3, 1, 1)]
    norm = next(i for i, op in enumerate(done.workload.operators) if op.name == "norm_b0")
    reads = [p.reads.values[p.reads.offsets[r] : p.reads.offsets[r + 1]] for r in rows.tolist()]
    assert [int((p.node[read] == norm).sum()) for read in reads] == [0, 0, 1]
    assert sum(done.program.energy_fj[rows].tolist()) == 5 * timing.add(done.chip, 20).energy_fj


def test_a_token_too_many_in_a_sum_is_found() -> None:
    done = mixed()
    with pytest.raises(CheckError, match="check combine"):
        verify_program(replace(done, passed={0: np.array([False, True, True])}))


def test_outputs_that_give_nothing_take_no_sum() -> None:
    """Sums of 2, 1 and 0 vectors: 1 + 2, 0 + 1 operations, and one that writes zeros."""
    done = compiled(with_idle((0, 2), ()))
    rows = np.flatnonzero(done.program.opcode == Opcode.COMBINE)
    once = timing.add(done.chip, 20).duration_ps
    assert done.program.duration_ps[rows].tolist() == [once * n for n in (3, 1, 1)]


@pytest.mark.parametrize("on", ["digital", "crossbar"])
def test_every_output_is_scored(on: str) -> None:
    """6 scores of 20 values, two passes over 6 of them; on crossbars one pass and no MACs."""
    workload = with_idle((2, 0), (0,))
    (layer,) = workload.moe_layers
    assert layer.router.projection is not None
    router = replace(layer.router, projection=replace(layer.router.projection, columns=6))
    operators = tuple(
        replace(op, router=router) if op is layer else op for op in workload.operators
    )
    done = compiled(replace(workload, operators=operators), digital={"router_on": on})
    p = done.program
    gates = p.opcode == Opcode.GATE
    assert set(p.macs[gates].tolist()) == {120 if on == "digital" else 0}
    once = timing.add(done.chip, 6).duration_ps
    assert set(p.duration_ps[p.opcode == Opcode.TOPK].tolist()) == {2 * once}
    if on == "crossbar":
        assert set(p.duration_ps[gates].tolist()) == {once}


def test_a_sum_without_its_token_is_found() -> None:
    done = compiled(with_idle((0, 2), (4, 5)))
    p = done.program
    row = int(np.flatnonzero(p.opcode == Opcode.COMBINE)[1])
    read = p.reads.values[p.reads.offsets[row] : p.reads.offsets[row + 1]]
    itself = int(read[p.opcode[read] == Opcode.NORM][0])
    other = int(np.flatnonzero((p.opcode == Opcode.NORM) & (p.node == p.node[itself]))[0])
    wrong = mutate.read_instead(p, row, itself, other)
    with pytest.raises(CheckError, match="combine"):
        verify_program(replace(done, program=wrong))


def test_only_idle_outputs_pass_a_token_on() -> None:
    with pytest.raises(InputError, match="its idle outputs are"):
        with_idle((0, 2), (3,))

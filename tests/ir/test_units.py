"""How many digital and attention units a region has, worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from ir import timing
from ir.chip import Chip
from ir.errors import CheckError
from ir.program import Opcode
from ir.timing import attention, attention_macs
from ir.units import attention_units, digital_ps, digital_units, operators_of
from ir.verify import verify_program
from ir.workload import Attention
from moexbar.chips import load_chip
from tests.make import compile_small, small_chip, small_workload

HERMES = load_chip("hermes-mux2")
AUTO = {"dpus": 0, "mha_units": 0}


def hermes(**digital: int) -> Chip:
    parts: dict[str, object] = {**vars(HERMES.digital), **digital}
    return replace(HERMES, digital=type(HERMES.digital)(**parts))  # type: ignore[arg-type]


def test_units_keep_up_with_the_crossbars_of_their_region() -> None:
    """One layer of d 256, four gated experts of 512, top-2, at 130 ns a token.

    Two norms 100 ns, two residual adds 24; router 4 x 256 / 1024 = 1, top-2 2 x (4 + 8 x 4 / 256)
    = 8.25, two pairs of SiLU 6 + 32 and product 4 + 16 = 116, sum 3 x 12 = 36: 285.25 ns, and the
    embedding's 12 and the last norm's 50, in the region too: 347.25 / (3/4 of 130), up: 4.
    """
    workload = small_workload(layers=1, d=256, f=512, experts=4, k=2)
    here = operators_of(workload, 0)
    assert sum(digital_ps(op, HERMES) for op in here) == 347_250
    assert digital_units(here, 99, HERMES) == 4
    # as the chip says: so many; one for 16 PGs: 99 / 16, up
    assert digital_units(here, 99, hermes(dpus_per_region=5)) == 5
    assert digital_units(here, 99, hermes(pgs_per_dpu=16)) == 7
    # at mux 4 the four experts are one group, which takes two MVM times a token: 347.25 / 195, up
    assert digital_units(here, 99, replace(HERMES, pg=replace(HERMES.pg, mux=4))) == 2


def test_a_faster_crossbar_needs_more_units() -> None:
    workload = small_workload(layers=1, d=256, f=512, experts=4, k=2)
    fast = replace(HERMES, mvm=replace(HERMES.mvm, read_ps=10_000))
    assert digital_units(operators_of(workload, 0), 99, fast) == 47  # 347.25 / 7.5, up


def test_attention_units_keep_up_at_the_last_query() -> None:
    """Of 1024 tokens of d 256 the last query takes 2 x 256 x 1024 MACs over 1024 per ns, 512 ns.

    Crossbars take 130 ns for a token: four units, but never more than heads, of which it has two.
    """
    workload = small_workload(layers=1, d=256, f=512, experts=4, k=2)
    assert attention_units(workload, 0, 1024, HERMES) == 2
    assert attention_units(workload, 0, 100, HERMES) == 1
    assert attention_units(workload, 0, 100_000, HERMES) == 2  # it has two heads
    assert attention_units(workload, 0, 1024, hermes(mha_units_per_region=7)) == 7
    plain = replace(workload, operators=workload.operators[:1])
    assert attention_units(plain, 0, 1024, HERMES) == 0


def test_copies_of_dense_blocks_need_more_units() -> None:
    """The same region: with two copies of its dense blocks it takes a token in 65 ns.

    One expert group of the two runs a token in the mean: 2 / 2 turns, so with copies too its
    groups take 130 ns, and 347.25 / 97.5 is 4. Of eight experts, in four groups, 2 / 4 turns do: 65
    ns, and 4 x 256 more MACs are 1 ns, their top-2 0.25: 348.5 / 48.75, up: 8. The last query of
    260 tokens takes 130 ns: one unit keeps up with 130 ns a token, two with 65.
    """
    workload = small_workload(layers=1, d=256, f=512, experts=4, k=2)
    assert digital_units(operators_of(workload, 0), 99, HERMES, 2) == 4
    wide = small_workload(layers=1, d=256, f=512, experts=8, k=2)
    assert digital_units(operators_of(wide, 0), 99, HERMES) == 4
    assert digital_units(operators_of(wide, 0), 99, HERMES, 2) == 8
    assert attention_units(workload, 0, 260, HERMES) == 1
    assert attention_units(workload, 0, 260, HERMES, 2) == 2


@pytest.mark.parametrize(("units", "most"), [(1, 5), (2, 3), (3, 2), (4, 2), (5, 1), (9, 1)])
def test_heads_are_spread_evenly(units: int, most: int) -> None:
    """Five heads on two units: three on one, two on the other; the first is done last."""
    split = attention(HERMES, 7, 7, 5, 64, causal=True, units=units)
    assert split.duration_ps == attention(HERMES, 7, 7, most, 64, causal=True).duration_ps
    assert split.duration_ps == -(-most * 2 * 28 * 64 * 1000 // 1024)  # 28 pairs, two products
    assert split.energy_fj == attention_macs(7, 7, 5, 64, causal=True) * HERMES.digital.mac_fj


def test_one_attention_takes_all_units_of_its_region() -> None:
    workload = small_workload(layers=2)
    alone = compile_small(workload, small_chip(digital=AUTO | {"mha_units_per_region": 1}))
    split = compile_small(workload, small_chip(digital=AUTO | {"mha_units_per_region": 2}))
    times = []
    for done, units in ((alone, 1), (split, 2)):
        program = done.program
        rows = program.opcode == Opcode.ATTN
        mha = [unit for unit in program.units if unit.kind == "mha"]
        assert [(unit.name, unit.layer, unit.units) for unit in mha] == [
            ("mha.0", 0, units),
            ("mha.1", 1, units),
        ]
        assert np.array_equal(
            [program.units[u].layer for u in program.unit[rows]], program.layer[rows]
        )
        times.append(program.duration_ps[rows])
    # 6 tokens, causal: 21 pairs x 2 products x 10 values a head over 64 per ns, two heads or one
    assert [set(ps.tolist()) for ps in times] == [{13_125}, {6_563}]
    assert alone.program.energy_fj.sum() == split.program.energy_fj.sum()


def test_a_wrong_number_of_units_is_found() -> None:
    done = compile_small(small_workload(layers=1), small_chip(digital=AUTO))
    program = done.program
    at = next(i for i, unit in enumerate(program.units) if unit.kind == "mha")
    units = list(program.units)
    units[at] = replace(units[at], units=2)
    with pytest.raises(CheckError, match="mha units of layer 0: 2 for 1 job at a time, expected 1"):
        verify_program(replace(done, program=replace(program, units=tuple(units))))
    extra = replace(next(u for u in program.units if u.kind == "dpu"), name="dpu.0.more")
    with pytest.raises(CheckError, match="dpu units of layer 0: 11, expected 10"):
        verify_program(replace(done, program=replace(program, units=(*program.units, extra))))


def test_partial_sums_count_where_digital_units_add_them() -> None:
    """A head of 256 x 512 on 128 rows: two row tiles, two columns of 256 weights, an add each."""
    chip = replace(
        HERMES,
        accumulate=replace(HERMES.accumulate, where="dpu"),
        crossbar=replace(HERMES.crossbar, rows=128),
    )
    workload = small_workload(layers=1, d=256, f=512, experts=4, k=2, vocabulary=512)
    head = next(op for op in workload.dense() if op.name == "head")
    assert digital_ps(head, chip) == 2 * timing.add(chip, 256).duration_ps == 24_000
    assert digital_ps(head, HERMES) == 0
    assert not any(digital_ps(op, chip) for op in workload.operators if isinstance(op, Attention))

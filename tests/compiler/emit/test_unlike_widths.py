"""Experts of unlike hidden widths: each has its own tiles, sums and vectors; PGs are its group's.

The small chip: crossbars of 8 rows and 4 weights of 8 bits in a row. With d 20, up and gate of 12
columns are 3 x 3 tiles each, down is 2 x 5: 28. Of 5 columns they are 3 x 2 and 1 x 5: 17.
"""

from dataclasses import replace

import numpy as np
import pytest

from backends.cost import cost
from compiler.partition import partition
from compiler.placement.traffic import traffic_of
from ir.certificate import Certificate
from ir.chip import Chip
from ir.compiled import Compiled
from ir.errors import InputError
from ir.mapping import Grouping, LayerGrouping
from ir.program import Opcode
from moexbar.efficiency.layer import layer_area
from tests.make import compile_small, map_small, small_chip, small_workload

TO_ALL = {0: np.ones((3, 4), dtype=np.bool_)}


def grouped(*groups: tuple[int, ...]) -> Grouping:
    nothing = Certificate("slots", 0, 0, "heuristic")
    return Grouping((LayerGrouping(0, groups, "by hand", nothing),))


def compiled(*groups: tuple[int, ...], chip: Chip | None = None) -> Compiled:
    """Three tokens, each to all four experts, of 12 and 5 by turns."""
    workload = small_workload(layers=1, k=4, widths=(12, 5))
    return compile_small(
        workload, chip or small_chip(), tokens=3, chosen=TO_ALL, grouping=grouped(*groups)
    )


def test_a_group_takes_the_pgs_of_its_widest_expert() -> None:
    mixed, apart = compiled((0, 1), (2, 3)), compiled((0, 2), (1, 3))
    assert mixed.program.inventory.expert_pgs == 28 + 28
    assert apart.program.inventory.expert_pgs == 28 + 17
    for done in (mixed, apart):  # every expert has its own crossbars in any group
        assert done.program.inventory.expert_crossbars == 2 * (28 + 17)
    before, after = (cost(done.program, done.chip) for done in (mixed, apart))
    assert after.energy.dynamic_fj["MVM"] == before.energy.dynamic_fj["MVM"]
    parts = before.area.parts_um2, after.area.parts_um2
    assert parts[0]["peripheral groups"] - parts[1]["peripheral groups"] == 11 * 100
    assert parts[0]["arrays"] == parts[1]["arrays"]


def test_an_expert_fires_and_moves_what_it_has() -> None:
    # 10000 fJ a crossbar; results of 8 bits: up and gate are twice the width, hidden once
    p = compiled((0, 1), (2, 3)).program
    for expert, width, (first, second) in ((0, 12, (18, 10)), (1, 5, (12, 5))):
        mine = p.expert == expert
        fired = p.energy_fj[mine & (p.opcode == Opcode.MVM)]
        assert sorted(set(fired.tolist())) == sorted({first * 10_000, second * 10_000})
        macs = int(p.macs[mine & (p.opcode == Opcode.MVM)].sum())
        assert macs == 3 * 3 * 20 * width  # three tokens, three matrices
        moved = p.bytes[mine & (p.opcode == Opcode.XFER)].tolist()
        assert sorted(moved) == [width] * 3 + [2 * width] * 3
        acted = p.bytes[mine & (p.opcode == Opcode.ACT)].tolist()
        assert acted == [width] * 3
        stored = p.bytes[mine & (p.opcode == Opcode.STORE)].tolist()
        assert stored == [20] * 3
    # 12 hidden numbers are two tiles of rows, whose sums are added; 5 are one
    second_sums = (p.opcode == Opcode.ACC) & (p.stage == 1) & (p.expert >= 0)
    assert set(p.expert[second_sums].tolist()) == {0, 2}


def test_all_mvms_of_a_group_take_as_long() -> None:
    """So a slot is a slot, whatever the widths, and groupings are judged as before."""
    p = compiled((0, 1), (2, 3)).program
    mvm = (p.opcode == Opcode.MVM) & (p.expert >= 0)
    assert len(set(p.duration_ps[mvm].tolist())) == 1


def test_an_input_buffer_holds_the_longest_vector_of_its_group() -> None:
    # 5 and 8 hidden numbers are one tile of rows each: the buffers hold two vectors of 8 bytes
    workload = small_workload(layers=1, k=4, widths=(5, 8))
    p = compile_small(workload, tokens=3, chosen=TO_ALL, grouping=grouped((0, 1), (2, 3))).program
    second = [u for u in p.units if u.kind == "group" and u.stage == 1]
    assert [u.input_bytes for u in second] == [16, 16]


def test_narrow_tiles_stand_behind_the_first_pgs_of_a_column() -> None:
    # down of 17: 3 x 3 tiles in columns of three; of 5: 1 x 3, the first of each column
    workload = small_workload(layers=1, d=10, widths=(17, 5))
    mapping = map_small(workload, small_chip(), grouped((0, 1), (2, 3)))
    grids = {
        (b.role, getattr(b.owner, "expert", -1)): pg
        for b, (_, pg, _) in zip(mapping.blocks, mapping.tiles(), strict=True)
    }
    assert grids["down", 0].shape == (3, 3)
    assert np.array_equal(grids["down", 1], grids["down", 0][:1])
    assert np.array_equal(grids["up", 1], grids["up", 0][:, :2])


def test_each_width_is_packed_by_itself() -> None:
    # Four experts in a group, two of each width. d 10, 17 wide: up has 4 full tiles of 8 x 4 and
    # below 4 of 2 x 4, beside one of 8 x 1 and a corner: two experts take 4 x 2 + 4 + 1 + 1 = 14
    # crossbars; down 4 of 8 x 4 (8), two of 8 x 2 (one each), two of 1 x 4 (2), a corner: 13.
    # 5 wide: up 8 x 4 (2), 8 x 1 (1), 2 x 4 (1), 2 x 1 (1): 5; down 2 of 5 x 4 (4), 5 x 2 (1): 5.
    workload, chip = small_workload(layers=1, d=10, widths=(17, 5)), small_chip(pg={"mux": 4})
    packed = compile_small(workload, chip, pack=True).program.inventory
    alone = compile_small(workload, chip).program.inventory
    assert packed.expert_crossbars == 14 + 14 + 13 + 5 + 5 + 5
    assert alone.expert_crossbars == 2 * (10 + 10 + 9) + 2 * (4 + 4 + 3)
    assert packed.expert_pgs == alone.expert_pgs == 10 + 10 + 9


def test_traffic_counts_every_pair_by_its_expert() -> None:
    # 8 bits: 256 values to a packet. Of 300 hidden numbers up and gate give 600, 3 packets, and
    # down takes 2 and gives 1; of 100 it is 1 and 2. Three tokens to expert 0, five to expert 1.
    workload = small_workload(layers=1, experts=2, k=1, widths=(300, 100))
    chip, grouping = small_chip(), grouped((0, 1))
    chosen = np.zeros((8, 2), dtype=np.bool_)
    chosen[:3, 0] = chosen[3:, 1] = True
    blocks = partition(workload, chip)
    start = map_small(workload, chip, grouping).placement.pg_start
    flows = traffic_of(workload, blocks, start, grouping, chip, {0: chosen}, 8).flows
    first, second = (f.packets for f in flows if f.first_pg in (start[4], start[6]))
    assert (first, second) == (3 * 3 + 5 * 1, 3 * 3 + 5 * 2)


def test_experts_of_which_neither_holds_the_other_are_refused() -> None:
    # 8 bits take two cells, 4 bits one: down of 5 x 20 is 1 x 5 tiles, of 16 x 20 it is 2 x 3
    workload = small_workload(layers=1, widths=(5, 16))
    op = workload.moe_layers[0]
    experts = tuple(
        replace(
            e,
            up=replace(e.up, bits=4),
            gate=replace(e.gate, bits=4) if e.gate else None,
            down=replace(e.down, bits=4) if e.down else None,
        )
        if e.up.columns == 16
        else e
        for e in op.experts
    )
    operators = tuple(replace(o, experts=experts) if o is op else o for o in workload.operators)
    with pytest.raises(InputError, match="may differ in width, but not in the bits"):
        partition(replace(workload, operators=operators), small_chip())


def test_efficiency_without_a_program_is_refused() -> None:
    op = small_workload(layers=1, widths=(12, 5)).moe_layers[0]
    with pytest.raises(InputError, match="experts of 5 to 12, expected one width"):
        layer_area(op, small_chip(), 2, 4)

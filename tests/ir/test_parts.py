"""Large matrices in parts: nothing of them is lost, and put together they are the model again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.frontend import read_model
from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_bias, load_weight
from ir.parts import SHARE, in_parts, whole
from ir.workload import Dense, Digital, Workload
from tests.chain.recipe import Model, Recipe
from tests.chain.run import write_model
from tests.dies import JOINED, die_chip
from tests.make import small_chip, small_workload


def of_area(area_um2: int, **changes: object) -> Chip:
    """Two dies of an area; a peripheral group takes 110 um2 of it."""
    chip = die_chip(replace(JOINED["two"], area_um2=area_um2), **changes)
    assert (peripheral_um2(chip), chip.crossbar.array_um2) == (100, 10)
    return chip


def parts_of(workload: Workload, name: str) -> tuple[Dense, ...]:
    """The parts of a matrix, by the name of what they give together."""
    join = next(op for op in workload.operators if op.outputs == (name,))
    assert isinstance(join, Digital)
    makers = {op.outputs[0]: op for op in workload.operators}
    found = [makers[value] for value in join.inputs]
    return tuple(op for op in found if isinstance(op, Dense))


WORKLOADS = (
    small_workload(bias=True, vocabulary=31),
    small_workload(dense_layers=(0,), newest=True),
    small_workload(embedded=True, bits=4),
    small_workload(masks=True, shared=1, tied=True),
)


@given(
    st.sampled_from(WORKLOADS),
    st.integers(200, 12_000),
    st.sampled_from([4, 8, 13, 96]),
    st.sampled_from([3, 8, 40]),
    st.integers(1, 3),
)
def test_parts_together_are_the_model(
    workload: Workload, area: int, columns: int, rows: int, step: int
) -> None:
    """Every part has the rows of its matrix, and they have each of its columns, in order, once."""
    operators = [
        replace(op, weight=replace(op.weight, start=5, step=step)) if isinstance(op, Dense) else op
        for op in workload.operators
    ]
    workload = replace(workload, operators=tuple(operators))
    chip = of_area(area, crossbar={"columns": columns, "rows": rows})
    cut = in_parts(workload, chip)
    assert whole(cut) == workload
    assert whole(workload) == workload
    joins = [op for op in cut.operators if isinstance(op, Digital) and op.kind == "join"]
    wide = {op.outputs[0]: op for op in workload.operators}
    for join in joins:
        old = wide[join.outputs[0]]
        assert isinstance(old, Dense)
        parts = parts_of(cut, join.outputs[0])
        assert len(parts) == len(join.inputs) > 1
        held = [p.weight.start + n * p.weight.step for p in parts for n in range(p.weight.columns)]
        all_of_it = range(old.weight.columns)
        assert held == [old.weight.start + n * old.weight.step for n in all_of_it]
        for part in parts:
            assert (part.weight.rows, part.inputs) == (old.weight.rows, old.inputs)
            assert part.width == part.weight.columns > 0
            assert (part.layer, part.newest, part.side) == (old.layer, old.newest, old.side)


@pytest.mark.parametrize(
    ("area", "widths"),
    [
        # d 20 is 3 row tiles: a column of tiles takes 3 x 110 um2, of a die's third; 30 columns
        # of weights are 8 columns of tiles, the last one of 2
        (SHARE * 8 * 330, []),
        (SHARE * 8 * 330 - 1, [16, 14]),  # 7 in a part: two parts of 4
        (SHARE * 4 * 330, [16, 14]),
        (SHARE * 4 * 330 - 1, [8, 12, 10]),  # 3 in a part: 2, 3 and 3
        (SHARE * 330, [4] * 7 + [2]),
        (SHARE * 330 - 1, [4] * 7 + [2]),  # never narrower than a column of tiles
    ],
)
def test_how_wide_parts_are(area: int, widths: list[int]) -> None:
    cut = in_parts(small_workload(vocabulary=30), of_area(area))
    head = next(op for op in cut.operators if op.outputs == ("head",))
    if not widths:
        assert isinstance(head, Dense)
        return
    assert [part.weight.columns for part in parts_of(cut, "head")] == widths


def test_a_chip_of_one_die_cuts_nothing() -> None:
    workload = small_workload()
    assert in_parts(workload, small_chip()) is workload


def test_experts_stay_whole() -> None:
    workload = small_workload(shared=1)
    cut = in_parts(workload, of_area(SHARE * 330))
    assert cut.moe_layers == workload.moe_layers
    assert len(cut.operators) > len(workload.operators)


@pytest.mark.parametrize("biased", [False, True], ids=["without biases", "with biases"])
def test_columns_and_biases_of_parts_are_those_of_the_matrix(
    biased: bool, tmp_path: Path, runtime: Runtime
) -> None:
    """As loaded from a model file, of every dense matrix."""
    source = open_model(write_model(Recipe(Model(biased=biased)), tmp_path))
    workload = read_model(source, runtime=runtime)
    cut = in_parts(workload, of_area(400))
    compared = 0
    for op in workload.operators:
        if isinstance(op, Dense) and op not in cut.operators:
            parts = parts_of(cut, op.outputs[0])
            matrices = [load_weight(source, part.weight) for part in parts]
            assert np.array_equal(np.hstack(matrices), load_weight(source, op.weight))
            biases, bias = (
                [load_bias(source, p.weight) for p in parts],
                load_bias(source, op.weight),
            )
            assert (bias is not None) == (op.weight.bias is not None)
            if bias is None:
                assert biases == [None] * len(parts)
            else:
                assert np.array_equal(np.hstack([b for b in biases if b is not None]), bias)
                compared += 1
    assert compared > 0 if biased else compared == 0

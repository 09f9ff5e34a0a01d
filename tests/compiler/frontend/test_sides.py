"""Encoder-decoders read for sides of different lengths: whose tokens each operator works on."""

from pathlib import Path
from typing import Any

import pytest

from compiler.frontend import read_model
from ir.errors import InputError
from ir.onnxdoor.processes.session import Runtime
from ir.sides import Side
from ir.workload import Attention, Dense, Digital, Workload
from tests.compiler.frontend import models as m
from tests.compiler.frontend.sides import NAMES, SOURCE, TARGET, two_sided, write_sides

SIDES = (Side((SOURCE,), 6), Side((TARGET,), 4))


def read(folder: Path, runtime: Runtime, *axes: int | str, **options: Any) -> Workload:
    path = write_sides(folder, [m.dense_masked()], [m.dense_masked()], axes, **options)
    return read_model(path, (6, 4), runtime=runtime)


def told(workload: Workload) -> list[Any]:
    """What the sides change of every operator."""
    return [
        (op.name, op.side, op.width, *(vars(op).get(k) for k in ("key_side", "elements", "macs")))
        for op in workload.operators
    ]


def test_operators_and_their_sides(tmp_path: Path, runtime: Runtime) -> None:
    """q, k, v, o of the encoder, and k, v of the decoder's look at it: 6 products of its tokens.

    q, k, v, o, then q and o, and the head: 7 of the decoder's.
    """
    workload = read(tmp_path, runtime, *NAMES)
    assert workload.sides == SIDES
    dense = [op.side for op in workload.operators if isinstance(op, Dense)]
    assert (dense.count(0), dense.count(1)) == (6, 7)
    attentions = [op for op in workload.operators if isinstance(op, Attention)]
    assert [(op.side, op.key_side, op.causal) for op in attentions] == [
        (0, 0, False),
        (1, 1, True),
        (1, 0, False),
    ]
    assert [layer.side for layer in workload.moe_layers] == [0, 1]
    assert all(layer.proof == "run" for layer in workload.moe_layers)


@pytest.mark.parametrize("axes", [(6, 4), (6, "target"), ("source", 4)])
def test_fixed_lengths_are_read_as_free_ones(
    axes: tuple[int | str, ...], tmp_path: Path, runtime: Runtime
) -> None:
    """Numbers of elements are of 6 and of 4 tokens in every export."""
    assert told(read(tmp_path, runtime, *axes)) == told(read(tmp_path, runtime, *NAMES))


def test_several_sequences_in_a_file(tmp_path: Path, runtime: Runtime) -> None:
    """What is counted is of one sequence, however many run together."""
    three = read(tmp_path, runtime, 6, 4, batch=3)
    one = read(tmp_path, runtime, 6, 4)
    assert [(op.name, op.side) for op in three.operators] == [
        (op.name, op.side) for op in one.operators
    ]
    assert [op.width for op in three.moe_layers] == [m.D, m.D]


def test_work_on_whole_sequences_is_of_no_side(tmp_path: Path, runtime: Runtime) -> None:
    """The mean of the encoder's tokens is one vector: all tokens of a sequence may read it."""
    workload = read_model(two_sided(tmp_path, *NAMES), (6, 4), runtime=runtime)
    (mean,) = [
        op for op in workload.operators if isinstance(op, Digital) and op.scope == "sequence"
    ]
    assert mean.side is None
    assert [layer.side for layer in workload.moe_layers] == [0, 1]


def test_one_number_for_both_is_no_side(tmp_path: Path, runtime: Runtime) -> None:
    path = write_sides(tmp_path, [m.gated], [m.dense_masked()])
    for tokens in (5, (5, 5)):
        workload = read_model(path, tokens, runtime=runtime)
        assert workload.sides == ()
        assert {op.side for op in workload.operators} == {None}


@pytest.mark.parametrize(
    ("axes", "tokens", "problem"),
    [
        (NAMES, (6, 4, 2), "6,4,2, but the model has 2 sides: 'input_ids', 'decoder_input_ids'"),
        (("tokens", "tokens"), (6, 4), "has one side: 'input_ids' and 'decoder_input_ids'; give"),
        ((6, 5), (6, 4), "exactly 5, asked for 4; use --prefill 6,5"),
        (("source", 5), (6, 4), "exactly 5, asked for 4; use --prefill 6,5"),
        ((6, 5), 6, "'input_ids' 6, 'decoder_input_ids' 5; asked for 6 of all.*--prefill 6,5"),
    ],
)
def test_lengths_that_do_not_fit(
    axes: tuple[int | str, ...], tokens: Any, problem: str, tmp_path: Path
) -> None:
    path = write_sides(tmp_path, [m.gated], [m.gated], axes)
    with pytest.raises(InputError, match=problem):
        read_model(path, tokens, prove=False)


def test_a_model_of_one_side(tmp_path: Path) -> None:
    path = m.write(tmp_path, [m.gated])
    with pytest.raises(InputError, match="one side: 'input_ids'; give one number"):
        read_model(path, (6, 4), prove=False)


def test_what_sides_cannot_have(tmp_path: Path) -> None:
    """Decode steps, and experts that choose among the tokens of a sequence."""
    path = write_sides(tmp_path, [m.gated], [m.gated])
    with pytest.raises(InputError, match=r"--decode with sides of different lengths \(6,4 tokens"):
        read_model(path, (6, 4), prove=False, decodes=True)
    path = write_sides(tmp_path, [m.gated], [m.expert_choice()])
    with pytest.raises(InputError, match=r"experts choose among .* the sides have 6 and 4"):
        read_model(path, (6, 4), prove=False)

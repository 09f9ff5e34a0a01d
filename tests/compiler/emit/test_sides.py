"""Programs of an encoder and a decoder of different lengths: counts that follow from the lengths.

Two sequences of 5 source and 3 target tokens; a layer on either side, 4 experts of which each token
takes 2, gated; 2 heads of 4.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.simulate import replay
from compiler.options import Shape
from compiler.trace import first_window, routing_matrices, routing_of_window
from ir.compiled import Compiled
from ir.errors import CheckError, InputError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.sides import Side, on_side
from ir.verify import verify_program
from ir.workload import Attention
from tests.chain.recipe import Layer, Model, Recipe, Span
from tests.chain.run import Ready, compile_recipe, read_recipe

RECIPE = Recipe(span=Span(prefill=3, source=5, batch=2))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Ready:
    return read_recipe(RECIPE, tmp_path_factory.mktemp("sides"), runtime)


@pytest.fixture(scope="module")
def done(ready: Ready) -> Compiled:
    return compile_recipe(ready)


def test_instructions_of_each_side(done: Compiled) -> None:
    """Six dense products of the encoder's tokens (k, v of the decoder's look at it among them).

    Seven of the decoder's; each pair in two stages; norms 3 and 4, residual additions 2 and 3.
    """
    p = done.program
    count = Counter(Opcode(int(code)).name for code in p.opcode)
    assert count["MVM"] == 2 * (5 * (6 + 2 * 2) + 3 * (7 + 2 * 2))
    assert count["GATE"] == count["TOPK"] == count["COMBINE"] == count["EMBED"] == 2 * (5 + 3)
    assert count["NORM"] == 2 * (5 * 3 + 3 * 4)
    assert count["ADD"] == 2 * (5 * 2 + 3 * 3)
    pairs = {layer: int(chosen.sum()) for layer, chosen in done.chosen.items()}
    assert list(pairs.values()) == [2 * 5 * 2, 2 * 3 * 2]


def test_no_instruction_is_of_a_token_that_its_side_has_not(done: Compiled) -> None:
    p, workload = done.program, done.workload
    for index, op in enumerate(workload.operators):
        has = on_side(workload.sides, op.side, done.schedule.sequence)
        tokens = p.token[(p.node == index) & (p.token >= 0)]
        assert set(tokens.tolist()) <= set(np.flatnonzero(has).tolist()), op.name


def test_cross_attention_reads_the_encoders_keys(done: Compiled) -> None:
    """2 x 4 x heads: 5 queries by 5 keys, 3 by 5; the causal ones by 1, 2 and 3, one by one."""
    p, macs = done.program, list[list[int]]()
    for index, op in enumerate(done.workload.operators):
        if not isinstance(op, Attention):
            continue
        rows = np.flatnonzero((p.node == index) & (p.opcode == Opcode.ATTN))
        macs.append(p.macs[rows].tolist())
        if op.key_side == op.side:
            continue
        for row, first in zip(rows.tolist(), (0, 5), strict=True):
            tokens = Counter(t for t in p.token[p.reads[row]].tolist() if t >= 0)
            wanted = {first + place: 3 if place < 3 else 2 for place in range(5)}  # q, k, v
            assert tokens == wanted
    assert macs == [[2 * 25 * 8] * 2, [2 * n * 8 for n in (1, 2, 3)] * 2, [2 * 15 * 8] * 2]


def test_times_hold(done: Compiled) -> None:
    """A time that does not would raise."""
    replay(done.program, done.chip)


@pytest.mark.parametrize("lengths", [(5, 2), (4, 3), (5, 4)])
def test_the_verifier_counts_tokens_of_a_side(lengths: tuple[int, int], done: Compiled) -> None:
    sides = tuple(
        Side(side.inputs, n) for side, n in zip(done.workload.sides, lengths, strict=True)
    )
    other = replace(done, workload=replace(done.workload, sides=sides))
    with pytest.raises(CheckError):
        verify_program(other)


def test_the_verifier_refuses_pairs_of_the_other_side(done: Compiled) -> None:
    layer = done.workload.moe_layers[1].layer
    chosen = {**done.chosen, layer: done.chosen[layer].copy()}
    chosen[layer][4, 0] = True
    with pytest.raises(CheckError, match=f"routing of layer {layer}.*token 4"):
        verify_program(replace(done, chosen=chosen))


def test_a_trace_of_other_lengths_is_refused(ready: Ready) -> None:
    """Sequences of 5 and 3 tokens, asked for 5 and 2: token 2 of the decoder goes to experts."""
    workload, trace = ready.workload, ready.routing
    sides = (workload.sides[0], replace(workload.sides[1], tokens=2))
    window = first_window(trace, (0, trace.tokens), Shape.of((5, 2)))
    with pytest.raises(InputError, match=r"token 2 of a sequence .* 2 tokens; .* --tokens 5,2"):
        routing_of_window(
            replace(workload, sides=sides), trace, routing_matrices(workload, trace), window
        )


def test_a_window_inside_a_sequence_is_refused(ready: Ready) -> None:
    workload, trace = ready.workload, ready.routing
    window = first_window(trace, (0, trace.tokens), Shape.of((5, 3)))
    later = replace(window, trace=window.trace + 1)
    with pytest.raises(InputError, match="inside a sequence"):
        routing_of_window(workload, trace, routing_matrices(workload, trace), later)


def test_tokens_that_a_side_has_not_are_not_passed_on(tmp_path: Path, runtime: Runtime) -> None:
    """In the trace of 5 and 3 tokens, and in a compilation that a trace says nothing of."""
    model = Model((Layer("identity experts", routing="one"),))
    ready = read_recipe(replace(RECIPE, model=model), tmp_path, runtime)
    passed, decoder = ready.routing.passed, ready.workload.moe_layers[1]
    assert passed is not None
    assert passed.any(axis=1).all()
    silent = replace(ready, routing=replace(ready.routing, passed=None))
    for told in (passed[1], compile_recipe(silent).passed[decoder.layer]):
        assert not told.reshape(2, 5)[:, 3:].any()


def test_shapes_of_sides() -> None:
    """The window has as many tokens as the longer side; alike sides are one number."""
    shape = Shape.of((5, 3), batch=2)
    assert (shape.prefill, shape.length, shape.together) == (5, 5, 10)
    assert (shape.tokens, shape.asked) == ((5, 3), "5,3")
    assert Shape.of((4, 4)) == Shape(4)
    with pytest.raises(InputError, match="--decode 1: sides of different lengths"):
        Shape.of((5, 3), decode=1)
    with pytest.raises(InputError, match="prefill: 5,0"):
        Shape.of((5, 0))

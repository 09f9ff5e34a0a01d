"""Whether an attention is causal, seen by running it: no token's result depends on a later one.

That its mask compares positions says little: a window around each token does so too. So it is run
on random vectors, and again with those from some token on replaced: what was there before must not
change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

import numpy as np
from onnx_ir import Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from compiler.frontend.note import Note
from compiler.frontend.proof.cut_attention import CutAttention, UnknownShapeError
from ir.arrays import Array, Bools, Ints, largest
from ir.errors import InputError
from ir.onnxdoor.processes.session import Runtime
from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer

TOKENS = 11
STARTS = 10  # at most so many first tokens that are replaced: every one of 11
_TOLERANCE = 1e-4  # relative to the largest element


def prove_causal(
    facts: Facts, operators: Sequence[AnyOperator], runtime: Callable[[], Runtime]
) -> tuple[list[AnyOperator], list[Note]]:
    """The operators with `proven` set on each causal attention that was seen to be so.

    One that was seen to look ahead is not causal, whatever its mask compares. One whose operator is
    causal by definition need not be run. Notes say what became of the others.
    """
    notes: list[Note] = []
    out: list[AnyOperator] = []
    for op in operators:
        match op:
            case Attention(causal=True, proven=False):
                out.append(_tried(facts, op, runtime(), notes))
            case Attention() | Dense() | Digital() | MoELayer():
                out.append(op)
            case _:
                assert_never(op)
    return out, notes


def _tried(facts: Facts, op: Attention, runtime: Runtime, notes: list[Note]) -> Attention:
    try:
        causal = _looks_back(facts, op, runtime)
    except (InputError, UnknownShapeError) as error:
        reason = error.problem if isinstance(error, InputError) else str(error)
        why = f"that it is causal was not seen by running it ({reason}): it waits for all tokens"
        notes.append(Note(f"{op.name}: {why}", why))
        return op
    if not causal:
        why = "its mask compares positions, but tokens look ahead: it waits for all tokens"
        notes.append(Note(f"{op.name}: {why}", why))
    return replace(op, causal=causal, proven=causal)


def _looks_back(facts: Facts, op: Attention, runtime: Runtime) -> bool:
    """Whether no row of its outputs changes when later tokens do."""
    values = facts.graph.by_name
    wanted = [v for v in map(values.__getitem__, op.outputs) if facts.axes.of(v) is not None]
    if len(wanted) < len(op.outputs):
        raise UnknownShapeError("not all that it gives has a row for each token")
    tokens = facts.sizes.static_tokens or TOKENS
    random = np.random.default_rng(0)
    with CutAttention(facts, runtime, op, wanted) as cut:
        first, other = (cut.vectors(tokens, random) for _ in range(2))
        before = cut.run(first, tokens)
        for start in starts(tokens):
            mixed = _mixed(facts, first, other, start)
            after = cut.run(mixed, tokens)
            for value in wanted:
                kept, now = (_head(facts, value, r[name_of(value)], start) for r in (before, after))
                limit = max(_TOLERANCE * largest(before[name_of(value)]), 1e-12)
                if largest(kept - now) > limit:
                    return False
    return True


def starts(tokens: int) -> list[int]:
    """The first token that is replaced, in each run: every one but 0, or `STARTS` of them."""
    count = min(tokens - 1, STARTS)
    return [1 + turn * (tokens - 2) // max(count - 1, 1) for turn in range(count)]


def _head(facts: Facts, value: Value, array: Array, tokens: int) -> Array:
    """What an array of a value has of its first so many tokens."""
    axis = facts.axes.of(value)
    at, inner = (axis.axis, axis.inner) if axis is not None else (1, 1)
    head: Array = array.take(np.arange(tokens * inner), axis=at)
    return head


def _mixed(
    facts: Facts, first: Mapping[str, Array], other: Mapping[str, Array], start: int
) -> dict[str, Array]:
    """The first vectors up to a token, the others from it on."""
    out: dict[str, Array] = {}
    for name, array in first.items():
        axis = facts.axes.of(facts.graph.by_name[name])
        at, inner = (axis.axis, axis.inner) if axis is not None else (1, 1)
        place: Ints = np.arange(int(array.shape[at]))
        whose: Bools = place // inner < start
        of_axis = [1] * array.ndim
        of_axis[at] = len(whose)
        out[name] = np.where(whose.reshape(of_axis), array, other[name])
    return out

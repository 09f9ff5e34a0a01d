"""What a router exposes: its own nodes run on vectors, or from the logits of its matrix on."""

from collections.abc import Mapping, Sequence
from typing import assert_never

import numpy as np

from backends.functional.machine import TOLERANCE, At, gather
from backends.functional.names import Inner, Name
from ir.arrays import Array, Bools, Ints
from ir.selection import ByCapacity, ByCombine, ByIds, ByLogits, ByScoresOfIds
from ir.semantics import combine_weights, of_experts, own_weight, picked, places
from ir.workload import MoELayer


def on_crossbars(at: At[MoELayer]) -> bool:
    """Whether the router's first matrix is on crossbars."""
    placed = at.m.chip.digital.router_on == "crossbar"
    return placed and at.op.router.projection is not None


def own_feeds(at: At[MoELayer]) -> list[dict[str, Array]]:
    """The layer's inputs as the model has them, for each run."""
    return [{name: found[name] for name in at.op.inputs} for found in at.m.whole]


def own_logits(at: At[MoELayer]) -> list[Array]:
    """The logits of the model's own vectors, for each run; the model's own where they are known."""
    name, out = at.op.router.logits, list[Array]()
    for given, found in zip(own_feeds(at), at.m.whole, strict=True):
        if name not in found:  # what the model's own product gives
            found[name] = at.m.nodes.run(at.op, given, [name])[name]
        out.append(found[name])
    return out


def gate_feeds(at: At[MoELayer], ids: Ints, *, on_crossbars: bool) -> list[dict[str, Array]]:
    """The layer's inputs as its GATEs read them; those that they do not read are zeros."""
    feeds = gather(at.m, ids, at.op.gate_inputs(on_crossbars=on_crossbars))
    for fed, given in zip(feeds, own_feeds(at), strict=True):
        for name in at.op.inputs:
            fed.setdefault(name, np.zeros_like(given[name]))
    return feeds


def scored_vectors(at: At[MoELayer], feeds: Sequence[Mapping[str, Array]]) -> Array:
    """What the router scores of every token: float32 [window tokens, width]."""
    width = at.op.scored_width
    out = np.zeros((at.m.tokens, width), dtype=np.float32)
    for fed, run in zip(feeds, at.m.runs_of(at.op.side), strict=True):
        out[run.tokens.ravel()] = fed[at.op.scored].reshape(-1, width)
    return out


def entry_vectors(at: At[MoELayer], feeds: Sequence[Mapping[str, Array]]) -> Array:
    """The layer's input of every token: float32 [window tokens, d_model]."""
    d_model = at.op.d_model
    out = np.zeros((at.m.tokens, d_model), dtype=np.float32)
    for fed, run in zip(feeds, at.m.runs_of(at.op.side), strict=True):
        out[run.tokens.ravel()] = fed[at.op.inputs[0]].reshape(-1, d_model)
    return out


def exposed(at: At[MoELayer], feeds: list[dict[str, Array]]) -> dict[Name, Array]:
    """Scores of an expert-choice router, else selection and weights: [window tokens, experts].

    With them the layer's outputs besides its result (a model may give out its router's logits).
    """
    m, op, router = at.m, at.op, at.op.router
    names = dict.fromkeys([*router.exposed, *op.outputs[1:]])
    asked = [n for n in names if n not in feeds[0]]
    out: dict[Name, Array] = {}
    for fed, run in zip(feeds, m.runs_of(op.side), strict=True):
        values = fed | m.nodes.run(op, fed, asked) if asked else fed
        tokens = run.tokens.ravel()
        found = _per_token(op, values, len(tokens))
        for n in op.outputs[1:]:
            found[n] = values[n].reshape(len(tokens), *(m.row_shape(n) or ()))
        for name, array in found.items():
            full = out.setdefault(name, np.zeros((m.tokens, *array.shape[1:]), dtype=array.dtype))
            full[tokens] = array
    return out


def _per_token(op: MoELayer, values: Mapping[str, Array], tokens: int) -> dict[Name, Array]:
    router = op.router
    match router.selection:
        case ByCapacity(scores):
            return {Inner.SCORES: values[scores].reshape(tokens, router.experts)}
        case ByIds() | ByScoresOfIds() | ByLogits() | ByCombine():
            combine = combine_weights(router, values, tokens)
            found: dict[Name, Array] = {
                Inner.PICKED: picked(router, values, tokens),
                Inner.WEIGHTS: of_experts(router, combine),
            }
            at = places(op, values, tokens)
            if at is not None:
                found[Inner.PLACES] = at
            if op.adds_tokens:
                found[Inner.OWN_WEIGHT] = own_weight(op, combine, values)
            return found
        case _:
            assert_never(router.selection)


def near_rows(ours: Array, theirs: Array) -> Bools:
    """Rows that are the model's own up to rounding, a tenth of the tolerance: bool [rows]."""
    scale = np.abs(theirs).max(axis=1, initial=0)
    return np.asarray(np.abs(ours - theirs).max(axis=1, initial=0) <= TOLERANCE / 10 * scale)


def told_of_own(at: At[MoELayer]) -> dict[Name, Array]:
    """What the router says of the model's own vectors."""
    if at.index not in at.m.told:
        at.m.told[at.index] = exposed(at, own_feeds(at))
    return at.m.told[at.index]

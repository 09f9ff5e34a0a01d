"""Selections that rounding decides: what a router may select besides, of logits that float32 gives.

A logit is a sum of n products, of a vector x and a column w of the router's matrix; a bias makes it
n + 1. Added up in float32, in whatever order, with or without fused multiply-adds, it is off by at
most (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1)

    gamma_n * sum_i |x_i w_i|        gamma_n = n u / (1 - n u), u = 2^-24

The vector is a result of float32 too, and known as far as ours and the model's agree: to this comes
sum_i |dx_i w_i| with dx their difference. What follows the logits where experts choose, at most a
softmax of E outputs, is an exponential (4 u), E - 1 additions and a division: gamma_(E + 4) of the
score. So two scores whose distance is more than both bounds have one order in every run of the
model, and of two that are closer the one run may take the one, the next the other.

No bound is compared with a distance here: every logit is moved by its bound, up where the program
runs the expert and down where it does not, and the router's own nodes select among these. A
selection that they do not give is wrong, whatever else the router does with its logits. Where
experts choose, each has logits of its own for this: its own moved one way, and the others', with
which it shares a softmax, the other.
"""

from dataclasses import dataclass

import numpy as np

from backends.functional.exposed import (
    exposed,
    gate_feeds,
    near_rows,
    on_crossbars,
    own_feeds,
    own_logits,
    scored_vectors,
)
from backends.functional.machine import At
from backends.functional.names import Inner, Name
from ir.arrays import Array, Bools, Ints
from ir.onnxdoor.weights import load_bias, load_weight
from ir.products import product
from ir.program import Opcode
from ir.workload import MoELayer

UNIT = 2.0**-24  # half the distance of two float32 between 1 and 2


@dataclass(frozen=True, eq=False)
class Ran:
    """What a program runs of a layer in one step.

    experts: bool [window tokens, experts]; tokens: bool [window tokens], those of the step.
    """

    experts: Bools
    tokens: Bools


def gamma(terms: int) -> float:
    """Largest error of a float32 sum of so many products, of the sum of their magnitudes."""
    return terms * UNIT / (1 - terms * UNIT)


def ran_by(at: At[MoELayer], combines: Ints) -> Ran:
    """The experts whose results the COMBINEs of a step read; without tokens that are hidden."""
    m, p, experts = at.m, at.m.program, at.op.router.experts
    place, read = m.values.reads(combines)
    routed = (p.expert[read] >= 0) & (p.expert[read] < experts)
    token = p.token[combines].astype(np.int64)
    chosen = np.zeros((m.tokens, experts), dtype=np.bool_)
    chosen[token[place[routed]], p.expert[read[routed]]] = True
    mine = np.zeros(m.tokens, dtype=np.bool_)
    mine[token] = True
    return Ran(chosen, mine & ~m.hidden(at.op.side))


def leaning(at: At[MoELayer], ran: Ran, *, away: bool = False) -> dict[Name, Array] | None:
    """What the router exposes of logits that lean as far as rounding may toward what a program ran.

    away: the other way. As `exposed`; scores where experts choose in float64. None for a router
    whose logits are not known to be one product.
    """
    router, known = at.op.router, _logits(at)
    if known is None:
        return None
    exact, bound = known
    side = -_sides(at, ran) if away else _sides(at, ran)
    if router.capacity is None:
        return _exposed_of(at, exact + side * bound)
    scores = np.zeros(side.shape)
    for expert in range(router.experts):
        mine = np.where(np.arange(router.experts) == expert, 1, -1)  # of one softmax
        found = _exposed_of(at, exact + side[:, [expert]] * mine * bound)
        scores[:, expert] = found[Inner.SCORES][:, expert]
    return {Inner.SCORES: scores + side * gamma(router.experts + 4) * np.abs(scores)}


def _exposed_of(at: At[MoELayer], logits: Array) -> dict[Name, Array]:
    """What the router exposes of the logits [window tokens, router outputs]."""
    feeds = own_feeds(at)
    for fed, own, run in zip(feeds, own_logits(at), at.m.runs_of(at.op.side), strict=True):
        moved = logits[run.tokens.ravel()].astype(own.dtype).reshape(own.shape)
        fed[at.op.router.logits] = moved
    return exposed(at, feeds)


def _sides(at: At[MoELayer], ran: Ran) -> Ints:
    """Which way each logit moves [window tokens, router outputs]: 1 up, -1 down, 0 not at all.

    An expert that chooses takes a newcomer the sooner, the less it scored the tokens before. An
    output that stands for no expert goes up where a token has fewer experts than it may.
    """
    m, router = at.m, at.op.router
    side = np.zeros((m.tokens, router.outputs), dtype=np.int64)
    first, mine = router.idle[0], ran.tokens
    side[mine, first : first + router.experts] = np.where(ran.experts[mine], 1, -1)
    few = ran.experts.sum(axis=1) < (router.top_k or 0)
    for output in router.idle_outputs:
        side[mine, output] = np.where(few[mine], 1, -1)
    if router.capacity is not None:
        for sequence in np.unique(m.values.sequence[mine]).tolist():
            own = m.so_far(sequence)
            taken = ran.experts[own[mine[own]]].any(axis=0)
            side[own[~mine[own]]] = np.where(taken, -1, 1)
    return side


def _logits(at: At[MoELayer]) -> tuple[Array, Array] | None:
    """The logits of the model's own vectors, and how far rounding may take each: float64.

    Both [window tokens, router outputs]. None where there is no matrix, or the model's logits are
    not its product.
    """
    m, matrix = at.m, at.op.router.projection
    if matrix is None:
        return None
    weights = load_weight(m.nodes.source, matrix).astype(np.float64)
    bias = load_bias(m.nodes.source, matrix)
    x = scored_vectors(at, own_feeds(at)).astype(np.float64)
    exact, size = product(x, weights), product(np.abs(x), np.abs(weights))
    if bias is not None:
        exact, size = exact + bias, size + np.abs(bias)
    bound = gamma(matrix.rows + (bias is not None)) * size
    theirs = np.zeros_like(exact)
    for own, run in zip(own_logits(at), m.runs_of(at.op.side), strict=True):
        theirs[run.tokens.ravel()] = own.reshape(run.tokens.size, -1)
    used = np.concatenate([run.tokens.ravel() for run in m.runs_of(at.op.side)])
    if not np.all(np.abs(theirs - exact)[used] <= bound[used]):
        return None
    return exact, bound + _off(at, x, weights, theirs)


def _off(at: At[MoELayer], x: Array, weights: Array, logits: Array) -> Array:
    """How far each logit may be off because the vector is: [window tokens, router outputs].

    Of the step's tokens whose vectors (or logits, of a router on crossbars) are the model's up to
    rounding. x, logits: the model's own.
    """
    m, p, out = at.m, at.m.program, np.zeros_like(logits)
    if m.fixed:
        return out
    gates = np.flatnonzero((p.node == at.index) & (p.step == m.step) & (p.opcode == Opcode.GATE))
    token = p.token[gates].astype(np.int64)
    if on_crossbars(at):
        ours = m.values.take(gates, Inner.LOGITS)
        near, off = near_rows(ours, logits[token]), np.abs(ours - logits[token])
    else:
        ours = scored_vectors(at, gate_feeds(at, gates, on_crossbars=False))[token]
        near = near_rows(ours, x[token])
        off = product(np.abs(ours - x[token]), np.abs(weights))
    out[token] = np.where(near[:, None], off, 0)
    return out

"""TOPK of an expert-choice layer: what each expert takes of a sequence's tokens, as they arrive.

A token is routed once, when it arrives, against the scores so far; what an expert took before, it
keeps. Scores come from the step's GATEs and, with a GO cache, from those that earlier steps kept.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backends.functional.exposed import told_of_own
from backends.functional.machine import At, Machine
from backends.functional.names import Inner
from backends.functional.ties import Ran, leaning, ran_by
from backends.functional.values import Batch, wrong
from ir.arrays import Array, Bools, Ints
from ir.program import Opcode
from ir.selection import Capacity
from ir.workload import MoELayer


def admitted(scores: Array, arrival: Ints, capacity: Capacity) -> Bools:
    """The tokens that each expert took when they arrived: bool [tokens, experts].

    scores: [tokens, experts] of the tokens of one sequence so far, -inf where an expert has kept
    none. arrival: [tokens] step in which each came; those of one step come together. An expert
    takes a newcomer that is among its best `capacity` of all so far; ties go to the earlier token.
    """
    taken = np.zeros(scores.shape, dtype=np.bool_)
    for step in np.unique(arrival).tolist():
        so_far = np.flatnonzero(arrival <= step)
        ranked = so_far[np.argsort(-scores[so_far], axis=0, kind="stable")]
        best = np.zeros(scores.shape, dtype=np.bool_)
        np.put_along_axis(best, ranked[: capacity.of(len(so_far))], True, axis=0)
        taken |= best & (arrival == step)[:, None]
    return taken


def selected(at: At[MoELayer], ran: Ran, *, away: bool = False) -> Bools | None:
    """What a router selects of logits that lean toward what ran: bool [window tokens, E].

    Of the tokens that ran, those that experts choose among the tokens so far against the ones
    before. As `leaning` otherwise.
    """
    m, capacity = at.m, at.op.router.capacity
    if capacity is None:
        found = leaning(at, ran, away=away)
        return None if found is None else np.asarray(found[Inner.PICKED] & ran.tokens[:, None])
    out = np.zeros(ran.experts.shape, dtype=np.bool_)
    for step in np.unique(m.arrival[ran.tokens]).tolist():
        came = Ran(ran.experts, ran.tokens & (m.arrival == step))
        found = leaning(at, came, away=away)
        if found is None:
            return None
        for sequence in np.unique(m.values.sequence[came.tokens]).tolist():
            mine = m.so_far(sequence)
            taken = admitted(found[Inner.SCORES][mine], m.arrival[mine], capacity)
            out[mine] |= taken & came.tokens[mine][:, None]
    return out


def choose_tokens(at: At[MoELayer], capacity: Capacity, ids: Ints, combines: Ints) -> None:
    """The TOPK of each sequence: the experts of the tokens scored in this step, and their weights.

    Where the model's own vectors send a token elsewhere although every vector scored is the model's
    up to rounding, it is a near tie; and where the program's COMBINEs have experts take other
    tokens, of scores that rounding may order so (`ties`).
    """
    m, experts = at.m, at.op.router.experts
    told, ties = told_of_own(at)[Inner.SCORES], _Ties(at, ran_by(at, combines))
    shape = (m.tokens, experts)
    weights, picked = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_)
    seen, all_near = np.full(shape, -np.inf, dtype=np.float32), np.zeros(m.tokens, dtype=np.bool_)
    for row in ids.tolist():
        mine = m.so_far(int(m.program.seq[row]))
        scores, near, scored = _scores(m, row, mine, experts)
        ours = admitted(scores, m.arrival[mine], capacity)
        theirs = admitted(told[mine], m.arrival[mine], capacity)
        taken = ours.copy()
        if near.all():
            taken = ties.as_run(mine, scored, theirs)
        tied = scored & (taken != ours).any(axis=1)
        m.tied |= {(at.index, token) for token in mine[tied].tolist()}
        taken &= scored[:, None]
        picked[mine], weights[mine] = taken, np.where(taken, scores, 0)
        seen[mine[scored]], all_near[mine] = scores[scored], near
        m.covers[row] = mine[scored]
    of_sequences = np.full(len(ids), -1, dtype=np.int64)
    chosen = Batch(
        {
            Inner.SELECTED: picked,
            Inner.FACTORS: weights,
            Inner.SCORES: seen,
            Inner.NEAR: all_near,
        }
    )
    m.values.put(ids, of_sequences, chosen)


@dataclass
class _Ties:
    """What a program runs in a step, and what its router selects leaning that way, once asked."""

    at: At[MoELayer]
    ran: Ran

    @cached_property
    def leant(self) -> Bools | None:
        return selected(self.at, self.ran)

    def as_run(self, mine: Ints, scored: Bools, theirs: Bools) -> Bools:
        """`theirs` [tokens `mine`, E]; what ran of each expert whose tokens rounding may select.

        scored: those of `mine` whose step it is.
        """
        ran, fresh = self.ran.experts[mine], scored & self.ran.tokens[mine]
        if not (theirs != ran)[fresh].any() or self.leant is None:
            return theirs
        may = (self.leant[mine] == ran)[fresh].all(axis=0)
        return np.where(fresh[:, None] & may, ran, theirs)


def best_of(scores: Array, tokens: Ints, capacity: Capacity) -> Array:
    """What a cache keeps of the scores of `tokens` [window tokens, E]: -inf elsewhere.

    All of them where the capacity grows with the sequence; of a constant one each expert's best,
    since no later token is ever compared with more.
    """
    kept = np.full(scores.shape, -np.inf, dtype=scores.dtype)
    mine, room = scores[tokens], capacity.constant
    if room is not None:
        best = np.argsort(-mine, axis=0, kind="stable")[:room]
        few = np.full(mine.shape, -np.inf, dtype=scores.dtype)
        np.put_along_axis(few, best, np.take_along_axis(mine, best, axis=0), axis=0)
        mine = few
    kept[tokens] = mine
    return kept


def _scores(m: Machine, row: int, mine: Ints, experts: int) -> tuple[Array, Bools, Bools]:
    """What TOPK `row` reads of the tokens `mine`, each exactly once.

    Their scores [tokens, E], which of them are of the model's vector up to rounding, and which are
    of this step's GATEs.
    """
    p = m.program
    _, read = m.values.edges(np.array([row]))
    read = read[m.values.holds(read, Inner.SCORES)]
    kept, gates = read[p.opcode[read] == Opcode.GO_RD], read[p.opcode[read] != Opcode.GO_RD]
    token = p.token[gates].astype(np.int64)
    sources = [token, *(m.covers[int(k)] for k in kept)]
    found = np.sort(np.concatenate(sources))
    if not np.array_equal(found, mine):
        raise wrong(p, row, f"has scores of {len(found)} tokens, expected {len(mine)}")
    scores = np.full((m.tokens, experts), -np.inf, dtype=np.float32)
    near = np.zeros(m.tokens, dtype=np.bool_)
    readers = np.full(len(gates), row)
    scores[token] = m.values.rows(readers, gates, Inner.SCORES, token)
    near[token] = m.values.rows(readers, gates, Inner.NEAR, token)
    for one in kept.tolist():
        of = m.covers[one]
        held = m.values.of(one).arrays
        scores[of], near[of] = held[Inner.SCORES][of], held[Inner.NEAR][of]
    return scores[mine], near[mine], np.isin(mine, token)

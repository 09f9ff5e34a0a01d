"""Slot orders by rule: token-serial, compact, and the paper's reschedule (arXiv 2602.10254)."""

import numpy as np

from compiler.slots.bounds import slots_bound
from ir.arrays import Ints


def token_serial_table(counts: Ints) -> Ints:
    """Return the table [sum_t max_g c[t, g], groups] that runs the tokens one after the other.

    One token at a time on all groups, max_g c[t, g] slots each: the unshared chip's order.

    counts: int64 [tokens, groups]. A token's turns in a group come in its first slots.
    """
    fullest = counts.max(axis=1, initial=0)
    token = np.repeat(np.arange(len(counts)), fullest)
    first = np.cumsum(fullest) - fullest
    turn = np.arange(len(token)) - first[token]
    return np.where(turn[:, None] < counts[token], token[:, None], -1)


def compact_table(counts: Ints) -> Ints:
    """Return the table [L, groups] of the compact order; counts: int64 [tokens, groups]."""
    return ordered_with_waits(counts, np.zeros_like(counts))


def ordered_with_waits(counts: Ints, waits: Ints) -> Ints:
    """Run every group in token order, idling waits[t, g] slots before its first turn from t on.

    counts, waits: int64 [tokens, groups]. Waits after a group's last turn change nothing. The
    table is as long as the last turn asks for.
    """
    tokens, groups = counts.shape
    waited = np.cumsum(waits, axis=0)
    columns = []
    for g in range(groups):
        token = np.repeat(np.arange(tokens), counts[:, g])
        columns.append((np.arange(len(token)) + waited[token, g], token))
    slots = max((int(slot[-1]) + 1 for slot, _ in columns if len(slot)), default=0)
    table = np.full((max(slots, slots_bound(counts)), groups), -1, dtype=np.int64)
    for g, (slot, token) in enumerate(columns):
        table[slot, g] = token
    return table


def reschedule_table(counts: Ints) -> Ints:
    """Return the table [L, groups] of the rescheduled order; counts: int64 [tokens, groups].

    The paper's dynamic schedule (arXiv 2602.10254): a compact order with idles, as we read it.
    Every group keeps its tokens in token order. The busiest group (the first, if several are) is
    never delayed. Up to token t another group g has done lead[t] = (turns of the busiest group up
    to t) - (turns of g up to t) fewer turns, so in the compact order it runs token t that many
    slots early. Going through the tokens in order, where g is early at t and early at more than
    half of the tokens from t on, g waits before t for the smallest lead that occurs among those
    early tokens, and every later lead shrinks by as much. Waiting so brings as many of the tokens
    to come as possible into the slots in which the busiest group runs them. The last lead is the
    slack of g, and no wait exceeds what is left of it, so the schedule never grows.

    On the worked example (docs/model.md, section Slots) this gives 7 slots and 13 transfers, the
    figure of the published program; the paper's drawing of the same example has 12.
    """
    if not counts.size:
        return ordered_with_waits(counts, np.zeros_like(counts))
    done = np.cumsum(counts, axis=0)
    leads = done[:, [int(np.argmax(done[-1]))]] - done
    waits = np.stack([_waits(lead) for lead in leads.T], axis=1)
    return ordered_with_waits(counts, waits)


def _waits(lead: Ints) -> Ints:
    """Return the slots a group waits before each token, from its compact order's leads [tokens]."""
    lead = lead.copy()
    waits = np.zeros_like(lead)
    for t in range(len(lead)):
        if lead[-1] == 0:
            break
        if lead[t] <= 0:
            continue
        ahead = lead[t:]
        early = ahead[ahead > 0]
        if 2 * len(early) > len(ahead):
            waits[t] = early.min()
            lead[t:] -= waits[t]
    return waits

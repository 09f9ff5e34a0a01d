"""Reschedule: the paper's dynamic schedule (arXiv 2602.10254), a compact order with idles put in.

Our reading. Every group keeps its tokens in token order. The busiest group (the first, if several
are) is never delayed. Up to token t another group g has done lead[t] = (turns of the busiest group
up to t) - (turns of g up to t) fewer turns, so in the compact order it runs token t that many slots
early. Going through the tokens in order, where g is early at t and early at more than half of the
tokens from t on, g waits before t for the smallest lead that occurs among those early tokens, and
every later lead shrinks by as much. Waiting so brings as many of the tokens to come as possible
into the slots in which the busiest group runs them. The last lead is the slack of g, and no wait
exceeds what is left of it, so the schedule never grows.

On the worked example of design section 3 this gives 7 slots and 13 transfers, the figure of the
published program; the paper's drawing of the same example has 12.
"""

import numpy as np

from compiler.slots.bounds import Ints
from compiler.slots.compact import ordered_with_waits


def reschedule_table(counts: Ints) -> Ints:
    """Return the table [L, groups] of the rescheduled order; counts: int64 [tokens, groups]."""
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

"""The loops over instructions, one at a time in order of effect; compiled by numba.

Everything is an array of integers: what the columns mean stands in `machine`, what may stand in
them in `form`. `NEVER` is a time later than any: what is awaited does not come in this order.
"""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled

NEVER = np.int64(1) << np.int64(62)
ENTRY, SLOT, ROOM = 1, 2, 3  # what a grant waits for


@compiled
def find_vectors(
    mvm: Array, unit: Array, reads_at: Array, reads: Array, dst_at: Array, dst: Array
) -> tuple[Array, Array]:
    """The entry of `dst` that fills each MVM's input buffer, and how many MVMs use each entry.

    mvm: rows of MVMs. Returns int64 [rows], -1 = none, and int32 [entries of dst].
    """
    vector = np.full(len(unit), -1, dtype=np.int64)
    uses = np.zeros(len(dst), dtype=np.int32)
    for i in mvm:
        for e in range(reads_at[i], reads_at[i + 1]):
            filler = reads[e]
            for d in range(dst_at[filler], dst_at[filler + 1]):
                if dst[d] == unit[i] and vector[i] < 0:
                    vector[i] = d
                    uses[d] += 1
    return vector, uses


@compiled
def last_uses(end: Array, reads_at: Array, reads: Array) -> Array:
    """End of each value's life: of its last reader, or of its writer."""
    last = end.copy()
    for i in range(len(end)):
        for e in range(reads_at[i], reads_at[i + 1]):
            last[reads[e]] = max(last[reads[e]], end[i])
    return last


@compiled
def find_rooms(
    order: Array, low: Array, high: Array, begin: Array, last: Array, segments: int
) -> tuple[Array, Array, Array, int, int]:
    """Who held each value's bytes before it, and the first value that took them too early.

    order: rows with bytes in a buffer, by the begin of their lives; low, high: the segments of
    memory [low, high) of each of them (same order). Returns first and count [rows] into a list of
    earlier holders, that list, and the offending row with the row that still lives there (-1, -1).
    """
    owner = np.full(segments, -1, dtype=np.int32)
    first = np.zeros(len(begin), dtype=np.int64)
    count = np.zeros(len(begin), dtype=np.int32)
    total = np.int64(0)
    for n in range(len(order)):
        total += high[n] - low[n]
    holders = np.zeros(total, dtype=np.int32)
    top = np.int64(0)
    for n in range(len(order)):
        i = order[n]
        first[i] = top
        before = -1
        for s in range(low[n], high[n]):
            w = owner[s]
            owner[s] = i
            if w < 0 or w == before:
                continue
            if last[w] > begin[i]:
                return first, count, holders, i, w
            holders[top] = w
            top += 1
            before = w
        count[i] = top - first[i]
    return first, count, holders[:top].copy(), -1, -1


@compiled
def settle(
    order: Array,
    unit: Array,
    reads_at: Array,
    reads: Array,
    room_first: Array,
    room_count: Array,
    room: Array,
    start: Array,
) -> Array:
    """The order in which everything comes after what it waits for, also within one moment.

    Work of no duration can start, and end, when other work starts that takes the bytes it has just
    read. Rows of one start time are therefore taken in rounds, each row once all that it reads is
    written and all that read its bytes before have been taken; int32 [rows].
    """
    out = order.copy()
    readers = np.zeros(len(order), dtype=np.int32)
    for e in range(len(reads)):
        readers[reads[e]] += 1
    taken = np.zeros(len(order), dtype=np.bool_)
    held = np.zeros(0 if len(unit) == 0 else np.max(unit) + 1, dtype=np.int64)
    turn = 0
    first = 0
    while first < len(order):
        stop = first + 1
        while stop < len(order) and start[order[stop]] == start[order[first]]:
            stop += 1
        waiting = order[first:stop].copy()
        many, top = stop - first, first
        while many > 0:
            turn += 1
            kept = 0
            for n in range(many):
                i = waiting[n]
                able = held[unit[i]] != turn  # what goes before it on its unit has been taken
                for e in range(reads_at[i], reads_at[i + 1]):
                    able = able and taken[reads[e]]
                for h in range(room_first[i], room_first[i] + room_count[i]):
                    able = able and readers[room[h]] == 0
                if able:
                    out[top] = i
                    top += 1
                    taken[i] = True
                    for e in range(reads_at[i], reads_at[i + 1]):
                        readers[reads[e]] -= 1
                else:
                    waiting[kept] = i
                    kept += 1
                    held[unit[i]] = turn
            if kept == many:  # they wait for each other: as given
                for n in range(many):
                    i = waiting[n]
                    out[top] = i
                    top += 1
                    taken[i] = True
                    for e in range(reads_at[i], reads_at[i + 1]):
                        readers[reads[e]] -= 1
                break
            many = kept
        first = stop
    return out


@compiled
def _earliest(free: Array, unit: int) -> int:
    """The entry of a group's input buffer that is free first."""
    best = 0
    for k in range(1, free.shape[1]):
        if free[unit, k] < free[unit, best]:
            best = k
    return best


@compiled
def walk(
    order: Array,
    unit: Array,
    reads_at: Array,
    reads: Array,
    dst_at: Array,
    dst: Array,
    vector: Array,
    uses: Array,
    lock: Array,
    slot: Array,
    room_first: Array,
    room_count: Array,
    room: Array,
    duration: Array,
    busy: Array,
    start: Array,
    end: Array,
    recompute: bool,
    units: int,
    entries: int,
    locks: int,
) -> tuple[Array, Array, Array, Array, Array, Array, Array, int]:
    """One pass over the machine: when each instruction could start, and what it waited for.

    With `recompute` the start times are set to the earliest possible, else they are taken as given
    (then `end` holds the given ends). Returns [rows]: ready (all values read are there) and the
    last writer; free (the unit has finished the job before) and that job; grant (input buffer
    entries, the slot before in lockstep, room for the value), who gave way, and which of the three
    it was; and a row whose room is still being read when it starts, -1 = none.
    """
    rows = len(order)
    ready = np.zeros(rows, dtype=np.int64)
    free = np.zeros(rows, dtype=np.int64)
    grant = np.zeros(rows, dtype=np.int64)
    writer = np.full(rows, -1, dtype=np.int32)
    before = np.full(rows, -1, dtype=np.int32)
    giver = np.full(rows, -1, dtype=np.int32)
    why = np.zeros(rows, dtype=np.int8)
    seen = np.zeros(rows, dtype=np.bool_)
    last = np.zeros(rows if len(room) else 0, dtype=np.int64)
    readers = np.zeros(len(last), dtype=np.int32)
    if len(room):
        for e in range(len(reads)):
            readers[reads[e]] += 1
    unit_free = np.zeros(units, dtype=np.int64)
    unit_last = np.full(units, -1, dtype=np.int32)
    entry_free = np.zeros((units, entries), dtype=np.int64)
    entry_by = np.full((units, entries), -1, dtype=np.int32)
    entry_of = np.zeros(len(dst), dtype=np.int32)
    release = np.zeros(len(dst), dtype=np.int64)
    pending = uses.copy()
    lock_slot = np.full(locks, -1, dtype=np.int64)
    lock_open = np.full(locks, -1, dtype=np.int32)  # the first row of that slot
    lock_end = np.zeros((locks, 2), dtype=np.int64)  # of the slots before, and up to now
    lock_by = np.full((locks, 2), -1, dtype=np.int32)
    tangled = -1
    for n in range(rows):
        i = order[n]
        u = unit[i]
        for e in range(reads_at[i], reads_at[i + 1]):
            w = reads[e]
            there = end[w] if seen[w] or end[w] > start[i] else NEVER
            if there > ready[i] or writer[i] < 0:
                ready[i], writer[i] = there, w
        free[i], before[i] = unit_free[u], unit_last[u]
        for d in range(dst_at[i], dst_at[i + 1]):
            k = _earliest(entry_free, dst[d])
            if entry_free[dst[d], k] > grant[i]:
                grant[i], giver[i], why[i] = entry_free[dst[d], k], entry_by[dst[d], k], ENTRY
        q = lock[i]
        if q >= 0:
            if slot[i] < lock_slot[q]:
                grant[i], giver[i], why[i] = NEVER, lock_open[q], SLOT
            elif slot[i] > lock_slot[q]:
                lock_slot[q], lock_open[q] = slot[i], i
                lock_end[q, 0], lock_by[q, 0] = lock_end[q, 1], lock_by[q, 1]
            if lock_end[q, 0] > grant[i]:
                grant[i], giver[i], why[i] = lock_end[q, 0], lock_by[q, 0], SLOT
        if len(room):
            for h in range(room_first[i], room_first[i] + room_count[i]):
                w = room[h]
                if readers[w] > 0:
                    tangled = i
                elif last[w] > grant[i]:
                    grant[i], giver[i], why[i] = last[w], w, ROOM
        if recompute:
            start[i] = max(ready[i], free[i], grant[i])
            end[i] = start[i] + duration[i]
        seen[i] = True
        unit_free[u] = max(unit_free[u], start[i] + busy[i])
        unit_last[u] = i
        for d in range(dst_at[i], dst_at[i + 1]):
            k = _earliest(entry_free, dst[d])
            entry_of[d] = k
            entry_free[dst[d], k] = NEVER if pending[d] else end[i]
            entry_by[dst[d], k] = i
        d = vector[i]
        if d >= 0:
            pending[d] -= 1
            release[d] = max(release[d], end[i])
            if pending[d] == 0:
                entry_free[u, entry_of[d]] = release[d]
                entry_by[u, entry_of[d]] = i
        if q >= 0 and end[i] > lock_end[q, 1]:
            lock_end[q, 1], lock_by[q, 1] = end[i], i
        if len(room):
            last[i] = max(last[i], end[i])
            for e in range(reads_at[i], reads_at[i + 1]):
                w = reads[e]
                readers[w] -= 1
                last[w] = max(last[w], end[i])
    return ready, writer, free, before, grant, giver, why, tangled


@compiled
def jobs_by_unit(order: Array, unit: Array, units: int) -> tuple[Array, Array]:
    """Rows of each unit in order: offsets int64 [units + 1] and rows int32 [rows]."""
    at = np.zeros(units + 1, dtype=np.int64)
    for n in range(len(order)):
        at[unit[order[n]] + 1] += 1
    for u in range(units):
        at[u + 1] += at[u]
    top = at[:-1].copy()
    jobs = np.zeros(len(order), dtype=np.int32)
    for n in range(len(order)):
        i = order[n]
        jobs[top[unit[i]]] = i
        top[unit[i]] += 1
    return at, jobs


@compiled
def queues(
    at: Array, jobs: Array, start: Array, busy: Array, ready: Array, free: Array, named: Array
) -> tuple[Array, Array, Array, Array]:
    """How long others held the unit after an instruction's values were there, and who did.

    The rest of the time until the unit is free is idle: it stood for one that goes before. named:
    rows whose holders are wanted one by one. Returns held int64 [rows]; holder, waiter, ps.
    """
    held = np.zeros(len(start), dtype=np.int64)
    pairs = 0
    for fill in range(2):  # first count the pairs, then write them
        holder = np.zeros(pairs, dtype=np.int32)
        waiter = np.zeros(pairs, dtype=np.int32)
        amount = np.zeros(pairs, dtype=np.int64)
        pairs = 0
        for u in range(len(at) - 1):
            total = np.int64(0)  # busy time of the jobs before n
            done = np.zeros(at[u + 1] - at[u] + 1, dtype=np.int64)
            for n in range(at[u], at[u + 1]):
                i = jobs[n]
                done[n - at[u]] = total
                total += busy[i]
                if ready[i] >= free[i]:
                    continue
                low, high = at[u], n  # the first job that starts after the values were there
                while low < high:
                    middle = (low + high) // 2
                    if start[jobs[middle]] > ready[i]:
                        high = middle
                    else:
                        low = middle + 1
                held[i] = done[n - at[u]] - done[low - at[u]] if low < n else 0
                if low > at[u]:
                    held[i] += max(0, start[jobs[low - 1]] + busy[jobs[low - 1]] - ready[i])
                if not named[i]:
                    continue
                for m in range(max(low - 1, at[u]), n):
                    part = start[jobs[m]] + busy[jobs[m]] - max(ready[i], start[jobs[m]])
                    if part > 0:
                        if fill:
                            holder[pairs], waiter[pairs], amount[pairs] = jobs[m], i, part
                        pairs += 1
    return held, holder, waiter, amount

"""The event loop of the list schedule, compiled: heaps in flat arrays, integers only.

Rows wait in one heap per pool (the ready ones) or per group (those set aside at a full input
buffer). Groups of a stack have one buffer, and what fills it may be on several buses and links, of
which one may be busy when an entry is free: so the first of each group is told, in the order of
their keys, as the first whose bus is free takes the entry. Two more heaps hold when units become
free and when jobs end. A heap entry is a key and a row, ordered by both. The heap of pool u lies in
`keys[base[u]:base[u + 1]]`, large enough for all of its rows.
"""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled


@compiled
def push(keys: Array, rows: Array, base: int, size: int, key: int, row: int) -> None:
    """Add an entry to a heap of `size` entries that lies at `base`."""
    at = size
    while at > 0:
        up = (at - 1) // 2
        if keys[base + up] < key or (keys[base + up] == key and rows[base + up] < row):
            break
        keys[base + at], rows[base + at] = keys[base + up], rows[base + up]
        at = up
    keys[base + at], rows[base + at] = key, row


@compiled
def pop(keys: Array, rows: Array, base: int, size: int) -> int:
    """Take the row of the lowest entry out of a heap of `size` entries."""
    top, last = rows[base], size - 1
    key, row, at = keys[base + last], rows[base + last], 0
    while 2 * at + 1 < last:
        low = 2 * at + 1
        right = low + 1
        if right < last and (
            keys[base + right] < keys[base + low]
            or (keys[base + right] == keys[base + low] and rows[base + right] < rows[base + low])
        ):
            low = right
        if key < keys[base + low] or (key == keys[base + low] and row < rows[base + low]):
            break
        keys[base + at], rows[base + at] = keys[base + low], rows[base + low]
        at = low
    keys[base + at], rows[base + at] = key, row
    return int(top)


@compiled
def satisfy(row: int, at: Array, rows: Array, missing: Array, waiting: Array, waits: int) -> int:
    """Tell the rows that wait for `row`; those that wait for nothing more join `waiting`."""
    for i in range(at[row], at[row + 1]):
        other = rows[i]
        missing[other] -= 1
        if missing[other] == 0:
            waiting[waits] = other
            waits += 1
    return waits


@compiled
def unpark(
    keys: Array,
    rows: Array,
    bases: Array,
    sizes: Array,
    group_at: Array,
    groups: Array,
    buffer: int,
    priority: Array,
    waiting: Array,
    waits: int,
) -> int:
    """Of each group of a buffer the first row set aside joins `waiting`, the lowest key first."""
    first = waits
    for i in range(group_at[buffer], group_at[buffer + 1]):
        group = groups[i]
        if sizes[group] > 0:
            row = pop(keys, rows, bases[group], sizes[group])
            sizes[group] -= 1
            mine, at = (priority[row], row), waits
            while at > first and (priority[waiting[at - 1]], waiting[at - 1]) > mine:
                waiting[at] = waiting[at - 1]
                at -= 1
            waiting[at] = row
            waits += 1
    return waits


@compiled
def run(
    duration: Array,
    busy: Array,
    priority: Array,
    pool: Array,
    frees: Array,
    users: Array,
    missing: Array,
    end_at: Array,
    end_rows: Array,
    start_at: Array,
    start_rows: Array,
    dst_at: Array,
    dst_units: Array,
    dst_groups: Array,
    group_at: Array,
    groups: Array,
    servers: Array,
    ready_base: Array,
    parked_base: Array,
    free_base: Array,
    entries: int,
) -> tuple[Array, Array]:
    """Start and unit of every row (-1: it can never start).

    [rows]: duration, busy, priority, pool (first unit of it), frees (entry of an input
    buffer, of so many `users`), missing (how many it waits for). end, start: rows that wait for the
    end or start of each row; dst: buffers it fills, and a group of each. [units]: groups of each
    buffer; servers; *_base: where each unit's heap or stack lies, one more than units.
    """
    count, units = len(duration), len(servers)
    start, unit = np.full(count, -1, np.int64), pool.copy()
    missing, users = missing.copy(), users.copy()
    ready_keys, ready_rows = np.empty(count, np.int64), np.empty(count, np.int64)
    ready = np.zeros(units, np.int64)
    parked_keys = np.empty(len(dst_units), np.int64)
    parked_rows = np.empty(len(dst_units), np.int64)
    parked = np.zeros(units, np.int64)
    room = np.full(units, entries, np.int64)
    free_units, free = np.empty(free_base[units], np.int64), servers.copy()
    for u in range(units):
        for i in range(servers[u]):
            free_units[free_base[u] + i] = u + servers[u] - 1 - i
    soon_keys, soon_rows = np.empty(count, np.int64), np.empty(count, np.int64)
    over_keys, over_rows = np.empty(count, np.int64), np.empty(count, np.int64)
    soon = over = 0
    queue, queued = np.empty(units, np.int64), np.zeros(units, np.bool_)  # pools to look at
    head = length = 0
    waiting = np.empty(count + len(dst_units), np.int64)  # rows that have become ready
    waits = 0
    for row in range(count):
        if missing[row] == 0:
            waiting[waits] = row
            waits += 1
    now = np.int64(0)
    while True:
        while True:
            for i in range(waits):
                row = waiting[i]
                u = pool[row]
                push(ready_keys, ready_rows, ready_base[u], ready[u], priority[row], row)
                ready[u] += 1
                if not queued[u]:
                    queue[(head + length) % units], queued[u] = u, True
                    length += 1
            waits = 0
            if length == 0:
                break
            u = queue[head]
            if free[u] == 0 or ready[u] == 0:
                head, length, queued[u] = (head + 1) % units, length - 1, False
                continue
            row = pop(ready_keys, ready_rows, ready_base[u], ready[u])
            ready[u] -= 1
            at = -1
            for i in range(dst_at[row], dst_at[row + 1]):
                if room[dst_units[i]] == 0:
                    at = dst_groups[i]
                    break
            if at >= 0:
                push(parked_keys, parked_rows, parked_base[at], parked[at], priority[row], row)
                parked[at] += 1
                for i in range(dst_at[row], dst_at[row + 1]):  # room it leaves may serve another
                    if room[dst_units[i]] > 0:
                        waits = unpark(
                            parked_keys,
                            parked_rows,
                            parked_base,
                            parked,
                            group_at,
                            groups,
                            dst_units[i],
                            priority,
                            waiting,
                            waits,
                        )
                continue
            for i in range(dst_at[row], dst_at[row + 1]):
                room[dst_units[i]] -= 1
            free[u] -= 1
            unit[row], start[row] = free_units[free_base[u] + free[u]], now
            push(soon_keys, soon_rows, 0, soon, now + busy[row], row)
            soon += 1
            push(over_keys, over_rows, 0, over, now + duration[row], row)
            over += 1
            waits = satisfy(row, start_at, start_rows, missing, waiting, waits)
        if over == 0:
            break
        now = over_keys[0]
        if soon > 0 and soon_keys[0] < now:
            now = soon_keys[0]
        while soon > 0 and soon_keys[0] == now:
            row = pop(soon_keys, soon_rows, 0, soon)
            soon -= 1
            u = pool[row]
            free_units[free_base[u] + free[u]] = unit[row]
            free[u] += 1
            if not queued[u]:
                queue[(head + length) % units], queued[u] = u, True
                length += 1
        while over > 0 and over_keys[0] == now:
            row = pop(over_keys, over_rows, 0, over)
            over -= 1
            if frees[row] >= 0:
                users[frees[row]] -= 1
                if users[frees[row]] == 0:
                    room[unit[row]] += 1
                    waits = unpark(
                        parked_keys,
                        parked_rows,
                        parked_base,
                        parked,
                        group_at,
                        groups,
                        unit[row],
                        priority,
                        waiting,
                        waits,
                    )
            waits = satisfy(row, end_at, end_rows, missing, waiting, waits)
    return start, unit

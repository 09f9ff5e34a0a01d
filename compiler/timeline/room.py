"""Free room in a buffer: rooms that touch are one, and a value takes the smallest that holds it.

Compiled. The free rooms of a buffer are [low, high) bytes, ascending; no two touch.
"""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled


@compiled
def give_room(size: Array, start: Array, last: Array, gone: Array) -> tuple[Array, int]:
    """Offset of every value of one buffer, and the bytes that the buffer needs.

    Values in the order of their starts, each gone once its last moment is no later than another's
    start; gone: their numbers in the order of that. A value of no bytes is anywhere.
    """
    offset = np.zeros(len(size), np.int64)
    low, high = np.empty(len(size), np.int64), np.empty(len(size), np.int64)
    rooms = top = over = 0
    for value in range(len(size)):
        while gone[over] < value and last[gone[over]] <= start[value]:
            dead = gone[over]
            if size[dead]:
                rooms = _free(low, high, rooms, offset[dead], offset[dead] + size[dead])
            over += 1
        if not size[value]:
            continue
        at = _smallest(low, high, rooms, size[value])
        if at >= 0:
            offset[value] = low[at]
            low[at] += size[value]
            if low[at] == high[at]:
                rooms = _remove(low, high, rooms, at)
            continue
        offset[value] = top
        if rooms and high[rooms - 1] == top:  # the free room at the end grows
            rooms -= 1
            offset[value] = low[rooms]
        top = offset[value] + size[value]
    return offset, top


@compiled
def _smallest(low: Array, high: Array, rooms: int, wanted: int) -> int:
    """The smallest room of so many bytes, the lowest such; -1 without."""
    best = -1
    for at in range(rooms):
        room = high[at] - low[at]
        if room >= wanted and (best < 0 or room < high[best] - low[best]):
            best = at
    return best


@compiled
def _free(low: Array, high: Array, rooms: int, first: int, behind: int) -> int:
    """Bytes [first, behind) are free again; how many rooms there are then."""
    at = int(np.searchsorted(low[:rooms], first))
    if at > 0 and high[at - 1] == first:
        high[at - 1] = behind
        if at < rooms and low[at] == behind:
            high[at - 1] = high[at]
            return _remove(low, high, rooms, at)
        return rooms
    if at < rooms and low[at] == behind:
        low[at] = first
        return rooms
    for i in range(rooms, at, -1):
        low[i], high[i] = low[i - 1], high[i - 1]
    low[at], high[at] = first, behind
    return rooms + 1


@compiled
def _remove(low: Array, high: Array, rooms: int, at: int) -> int:
    """Room `at` is taken; how many rooms are left."""
    for i in range(at, rooms - 1):
        low[i], high[i] = low[i + 1], high[i + 1]
    return rooms - 1

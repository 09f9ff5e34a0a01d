"""Where each value lies in its region's buffer, once its life is known."""

from collections.abc import Sequence

import numpy as np

from compiler.timeline.room import give_room
from ir.arrays import Ints
from ir.chip import Chip
from ir.errors import Amount, InfeasibleError
from ir.program import Buffer, Inventory, Lists


def lives(end_ps: Ints, reads: Lists) -> Ints:
    """When each instruction's value is last needed: the end of its last reader, or its own."""
    last = end_ps.copy()
    np.maximum.at(last, reads.values, end_ps[reads.rows()])
    return last


def assign_offsets(
    buffer: Ints, size: Ints, start_ps: Ints, last_ps: Ints
) -> tuple[Ints, dict[int, int]]:
    """Byte offset of every value with a buffer (-1 without), and the bytes each buffer needs.

    Values are placed when their writer starts, in order, each in the smallest free room that holds
    it, which what died before has left; room that is free again is joined with free room beside it.
    """
    offset, need = np.full(len(buffer), -1, dtype=np.int64), dict[int, int]()
    for place in np.unique(buffer[buffer >= 0]).tolist():
        rows = np.flatnonzero(buffer == place)
        rows = rows[np.argsort(start_ps[rows], kind="stable")]
        gone = np.argsort(last_ps[rows], kind="stable")
        offset[rows], need[place] = give_room(size[rows], start_ps[rows], last_ps[rows], gone)
    return offset, need


def check_caches(inventory: Inventory, chip: Chip) -> None:
    """Raise InfeasibleError when the caches need more DRAM than the chip is stated to have."""
    need, limit = inventory.kv_bytes + inventory.go_bytes, chip.memory.dram_bytes
    if limit and need > limit:
        raise InfeasibleError(
            "DRAM of the caches",
            Amount(need, f"{need} bytes once the last token is in"),
            Amount(limit, f"memory.dram_bytes {limit} on chip {chip.name}"),
            "bytes",
            f"decode fewer steps or sequences, turn a cache off, or set it to {need} or 0",
        )


def size_buffers(
    need: dict[int, int], sites: Sequence[tuple[int, int]], chip: Chip
) -> tuple[Buffer, ...]:
    """One buffer per region: as large as the chip says, or as needed where it says auto (0).

    sites: (layer, die) of each; of a layer's the first is its home's. Raises InfeasibleError when a
    fixed buffer is too small for the window.
    """
    fixed = chip.memory.region_buffer_bytes
    buffers: list[Buffer] = []
    homes = set[int]()
    for number, (layer, die) in enumerate(sites):
        needed, label = need.get(number, 0), f"{layer}@{die}" if layer in homes else f"{layer}"
        homes.add(layer)
        if fixed and needed > fixed:
            raise InfeasibleError(
                f"buffer of layer {label}",
                Amount(needed, f"{needed} bytes for the values in flight"),
                Amount(fixed, f"memory.region_buffer_bytes {fixed} on chip {chip.name}"),
                "bytes",
                f"prefill fewer tokens at a time, or set it to {needed} or 0 (auto)",
            )
        buffers.append(Buffer(f"buffer.{label}", layer, fixed or needed, die))
    return tuple(buffers)

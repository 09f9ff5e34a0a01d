"""What a grouping costs on windows it was not necessarily fitted to."""

from compiler.grouping.objective import Windows, window_loads
from compiler.grouping.split import split_counts, split_slots
from ir.arrays import Bools, Ints
from ir.mapping import LayerGrouping


def window_slots(grouping: LayerGrouping, chosen: Bools, windows: Windows) -> Ints:
    """Slots L_w of every window, replicas split as well as they can be: [windows]."""
    loads = window_loads(chosen, windows)
    return split_slots(loads, grouping.copies(), len(grouping.groups))


def score(grouping: LayerGrouping, chosen: Bools, windows: Windows) -> tuple[int, int]:
    """Slots and the transfer bound of a grouping on any windows, each summed over them.

    The transfer bound of a window is X_w = sum_t max_g c[t, g]: a token takes as many slots as it
    has experts in its fullest group. The slot scheduler gives the transfers themselves.
    """
    slots = int(window_slots(grouping, chosen, windows).sum())
    if not grouping.replicas:
        fullest = grouping.counts(chosen).max(axis=1)
        return slots, sum(int(fullest[start:stop].sum()) for start, stop in windows)
    split = (split_counts(grouping, chosen[start:stop]) for start, stop in windows)
    return slots, sum(int(counts.max(axis=1).sum()) for counts in split)

"""The slots of an order in another sequence: about as many transfers in each stretch of it.

Which slot comes when changes neither slots nor transfers, so whatever is proven of an order stays
proven. But in a burst of transfers the groups wait for the bus, and in a run of slots with many
new tokens for what produces those. The next slot is therefore

- one that keeps tokens in the groups that have just run them, if there is one: their vectors are
  in the input buffers and cost no transfer where the chip retains its input;
- then one that keeps the transfers sent nearest to an even rate;
- then the one with the fewest new tokens: those that have started end soon.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from compiler.slots.repair import Slots
from ir.arrays import Ints


def evened(table: Ints) -> Ints:
    """Return the rows of `table` [slots, groups] in an even sequence, which is always the same."""
    waiting = _Waiting(Slots(table.tolist(), int(table.max(initial=-1)) + 1))
    sizes = [len(parts) for parts in waiting.slots.parts]
    rate, sent = sum(sizes) / max(1, len(sizes)), 0
    sequence: list[int] = []
    for number in range(1, len(sizes) + 1):
        due = number * rate - sent
        sequence.append(waiting.take(sequence[-1:], due))
        sent += sizes[sequence[-1]]
    return table[np.array(sequence, dtype=np.int64)]


class _Waiting:
    """The slots still to come, and how many tokens each has that no slot before had.

    heaps: {transfers of a slot: (new tokens, slot) as a heap}. A slot with fewer new tokens than
    before is pushed again, and skipped where it turns up a second time.
    """

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.new = [len(parts) for parts in slots.parts]
        self.come = [False] * len(self.new)
        self.started: set[int] = set()
        self.heaps: dict[int, list[tuple[int, int]]] = {size: [] for size in sorted(set(self.new))}
        for slot, size in enumerate(self.new):
            self.heaps[size].append((size, slot))  # ascending, so it is a heap

    def take(self, last: Sequence[int], due: float) -> int:
        """Choose the slot that comes after `last` (a slot or none), with about `due` transfers."""
        slot = self._keeping(last, due)
        if slot is None:
            slot = self._nearest(due)
        self.come[slot] = True
        for token in self.slots.parts[slot]:
            if token not in self.started:
                self.started.add(token)
                for other in self.slots.places[token]:
                    self.new[other] -= 1
                    if not self.come[other]:
                        size = len(self.slots.parts[other])
                        heapq.heappush(self.heaps[size], (self.new[other], other))
        return slot

    def _keeping(self, last: Sequence[int], due: float) -> int | None:
        """Find the slot that keeps the most tokens in groups that run them in `last`."""
        parts = self.slots.parts
        kept: dict[int, int] = {}
        for before in last:
            for token, groups in parts[before].items():
                for slot in self.slots.places[token]:
                    if not self.come[slot] and parts[slot][token] & ~groups == 0:
                        kept[slot] = kept.get(slot, 0) + 1
        return min(
            kept,
            key=lambda s: (-kept[s], abs(len(parts[s]) - due), self.new[s], s),
            default=None,
        )

    def _nearest(self, due: float) -> int:
        """Find the slot with the number of transfers nearest to `due`, then fewest new tokens."""
        for heap in self.heaps.values():
            while heap and self.come[heap[0][1]]:
                heapq.heappop(heap)
        size = min((n for n, heap in self.heaps.items() if heap), key=lambda n: abs(n - due))
        return self.heaps[size][0][1]

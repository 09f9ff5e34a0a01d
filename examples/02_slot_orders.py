"""The paper's worked example: six tokens on four groups under every policy, slot by slot.

Run: python examples/02_slot_orders.py
"""

import numpy as np

from compiler.options import POLICIES
from compiler.slots import order_slots
from ir.certificate import Certificate
from ir.mapping import LayerGrouping

EXPERTS_OF_TOKEN = (
    (2, 4, 6, 8),
    (2, 3, 4, 7),
    (1, 2, 5, 7),
    (1, 2, 3, 5),
    (1, 4, 5, 7),
    (3, 4, 5, 7),
)


def main() -> None:
    chosen = np.zeros((6, 8), dtype=np.bool_)
    for token, experts in enumerate(EXPERTS_OF_TOKEN):
        chosen[token, np.array(experts) - 1] = True
    pairs = ((0, 1), (2, 3), (4, 5), (6, 7))
    grouping = LayerGrouping(0, pairs, "given", Certificate("as given", 0, 0, "heuristic"))
    for policy in POLICIES:
        order = order_slots(grouping.counts(chosen), policy)
        print(f"{policy}: {order.slots} slots, {order.transfers} transfers ({order.status})")
        for group, row in enumerate(order.table.T):
            print(f"  group {group}: " + " ".join("." if t < 0 else f"t{t + 1}" for t in row))


if __name__ == "__main__":
    main()

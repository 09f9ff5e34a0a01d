"""What tokens cost at the prices of a column bound, and what a slot that runs some of them saves.

With a price p_A on every set A of groups (`columns`) a token with row c of turns costs at least

    cost(c) = min over its splits of the sum of 1 + p_A over the sets A of the split,

and sum of cost over the tokens - slots * price of a slot bounds the transfers. A slot that sends a
token to the groups A leaves c - A of it to the slots after: its gain, at most p_A, is

    cost(c) - 1 - cost(c - A).

Where the gains of a slot add up to the price of a slot, the transfers it sends and the bound of
what it leaves are the bound from before; what they lack is added to it.
"""

from collections.abc import Mapping

from compiler.slots.columns import SCALE, ColumnBound

Row = tuple[int, ...]  # turns of a token in each group


class Prices:
    """Costs and gains, in transfers / SCALE; slot: the price of a slot."""

    def __init__(self, found: ColumnBound) -> None:
        self.slot = found.slot
        self._price = found.price
        self._cost: dict[Row, int] = {}

    def cost(self, row: Row) -> int:
        """Return the least that a token with `row` costs; 0 without turns."""
        if not any(row):
            return 0
        if row not in self._cost:
            lowest = parts(row)[0] & -parts(row)[0]  # some set of a split has the lowest group
            self._cost[row] = min(
                SCALE + self._price.get(part, 0) + self.cost(without(row, part))
                for part in parts(row)
                if part & lowest
            )
        return self._cost[row]

    def gain(self, row: Row, part: int) -> int:
        """Return what is gained where a token with `row` runs in the groups of `part`."""
        return self.cost(row) - SCALE - self.cost(without(row, part))

    def bound(self, rows: Mapping[Row, int], slots: int) -> int:
        """Bound the transfers of so many tokens with each of `rows` in `slots` slots."""
        return sum(number * self.cost(row) for row, number in rows.items()) - slots * self.slot


def without(row: Row, part: int) -> Row:
    """Take a turn in each group of the bit mask `part` off `row`."""
    return tuple(turns - (part >> g & 1) for g, turns in enumerate(row))


def parts(row: Row) -> list[int]:
    """List the sets of groups that a token with `row` can run in one slot, the largest first."""
    used = sum(1 << g for g, turns in enumerate(row) if turns)
    found, part = [], used
    while part:
        found.append(part)
        part = (part - 1) & used
    return found

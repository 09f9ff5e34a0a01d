"""PGs of one budget moved between regions: by trades, and by a price that all regions pay."""

from compiler.stacks.parts import Part, release, spend
from compiler.stacks.search import Search, improve

_PRICES, _CLOSER = 8, 0.7  # prices tried, and how much nearer each is to the one before


def at_prices(parts: list[Part], budget: int, *, looked: int, seed: int) -> list[Part]:
    """The best parts found at some prices of a PG, brought within the budget; or those given.

    The first price is what the next PG would spare; it rises where the parts then take more PGs
    than the budget, and falls where they take fewer (Lagrangian relaxation). looked: changes to
    look at in all, nearly.
    """
    best, value = parts, sum(part.search.value for part in parts)
    offers = [part.search.release(int(part.search.pool.size.sum())) for part in parts]
    price = max((gain / extra for row, gain, extra in offers if row >= 0), default=0.0)
    factor = 2.0
    for _ in range(_PRICES if value else 0):
        found = _priced(best, max(1, round(price)), looked=looked // _PRICES, seed=seed)
        over = sum(part.search.size for part in found) > budget
        if _saved(found, budget):
            spend(found, budget)
            trade(found, budget, looked // _PRICES)
            met = sum(part.search.value for part in found)
            if met < value:
                best, value = found, met
        price *= factor if over else 1 / factor
        factor = 1 + (factor - 1) * _CLOSER
    return best


def _priced(parts: list[Part], price: int, *, looked: int, seed: int) -> list[Part]:
    """Parts searched for the least of meetings and PGs at this price, whatever their PGs then."""
    squares = sum(len(part.rows) ** 2 for part in parts)
    found = []
    for part in parts:
        pool = part.search.pool
        stack = improve(
            pool,
            part.search.stack,
            int(pool.size.sum()),
            looked=looked * len(part.rows) ** 2 // squares,
            seed=seed,
            price=price,
        )
        found.append(Part(part.rows, Search(pool, stack)))
    return found


def _saved(parts: list[Part], budget: int) -> bool:
    """Take PGs where that costs least meeting until the budget is met; whether it is."""
    savings = [part.search.saving() for part in parts]
    while sum(part.search.size for part in parts) > budget:
        at = min(range(len(parts)), key=lambda i: (savings[i][1], i))
        change = savings[at][0]
        if change is None:
            return False
        parts[at].search.make(change)
        savings[at] = parts[at].search.saving()
    return True


def trade(parts: list[Part], budget: int, looked: int) -> None:
    """Take PGs where that costs little meeting, and give them where they spare more.

    Ends when the cheapest saving of every part was tried since the last that helped, or when
    `looked` changes have been looked at.
    """
    before = sum(part.search.looked for part in parts)
    savings = [part.search.saving() for part in parts]
    tried: set[int] = set()
    while len(tried) < len(parts):
        if sum(part.search.looked for part in parts) - before > looked:
            return
        at = min((i for i in range(len(parts)) if i not in tried), key=lambda i: (savings[i][1], i))
        tried.add(at)
        change = savings[at][0]
        if change is None:
            continue
        stacks = [part.search.stack.copy() for part in parts]
        value = sum(part.search.value for part in parts)
        parts[at].search.make(change)
        parts[at].search.descend(parts[at].search.size)
        release(parts, budget)
        better = sum(part.search.value for part in parts) < value
        for i, part in enumerate(parts):
            if (part.search.stack == stacks[i]).all():
                continue
            if better:
                tried.discard(i)
                part.search.descend(part.search.size)
                savings[i] = part.search.saving()
            else:
                part.take(stacks[i])

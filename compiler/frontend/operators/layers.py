"""Which decoder layer every operator belongs to.

A layer starts with the norm and projections that lead to its token mixer (attention, or a sequence
operation that the residual stream passes by) and ends before the next one's. An operator whose
every way on goes through mixer c first belongs to layer c; one that leads to it in other ways too,
such as the residual stream, to layer c - 1.
"""

from collections.abc import Collection, Sequence
from typing import assert_never

from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer, is_constant


def layer_numbers(operators: Sequence[AnyOperator], scales: Collection[int] = ()) -> list[int]:
    """The layer of each operator (topological order in, same order out); -1 before the first.

    scales: which of them mix tokens only to find a scale for all of them.
    """
    maker = {value: i for i, op in enumerate(operators) for value in op.outputs}
    before = [
        sorted({maker[v] for v in op.inputs if v in maker and maker[v] != i})
        for i, op in enumerate(operators)
    ]
    after: list[list[int]] = [[] for _ in operators]
    for i, sources in enumerate(before):
        for j in sources:
            after[j].append(i)
    mixers = _mixers(operators, before, after, scales)
    count = [0] * len(operators)
    for i, sources in enumerate(before):
        reached = [count[j] + (j in mixers) for j in sources if not is_constant(operators[j])]
        count[i] = max(reached, default=0)
    through = _only_through(operators, after, mixers)
    upcoming = _next_mixer(operators, after, mixers, count)
    numbers = []
    for i, op in enumerate(operators):
        if is_constant(op):
            numbers.append(-1)
        elif i in mixers:
            numbers.append(count[i])
        elif through[i]:
            numbers.append(upcoming[i])
        else:
            numbers.append(max(upcoming[i] - 1, _least(op)))
    numbers = _with_their_readers(operators, after, numbers)
    return _with_one_moe_each(operators, before, numbers)


def _with_one_moe_each(
    operators: Sequence[AnyOperator], before: Sequence[Sequence[int]], numbers: list[int]
) -> list[int]:
    """A layer has one region for its experts: of several MoE layers in it, each begins another.

    What is computed from the second is in the second's layer, what comes after all in the last's.
    """
    found: dict[int, int] = {}  # MoE layers seen so far, by number
    places = [0] * len(numbers)
    for i, op in enumerate(operators):
        same = (places[j] for j in before[i] if numbers[j] == numbers[i])
        places[i] = max(same, default=0)
        match op:
            case MoELayer():
                places[i] = found.get(numbers[i], 0)
                found[numbers[i]] = places[i] + 1
            case Dense() | Attention() | Digital():
                pass
            case _:
                assert_never(op)
    more = {number: count - 1 for number, count in found.items()}
    earlier = {n: sum(more[m] for m in more if m < n) for n in set(numbers)}
    return [n + earlier[n] + place for n, place in zip(numbers, places, strict=True)]


def _least(op: AnyOperator) -> int:
    """The lowest number an operator may have: an MoE layer is never before the first layer."""
    match op:
        case MoELayer():
            return 0
        case Dense() | Attention() | Digital():
            return -1
        case _:
            assert_never(op)


def _next_mixer(
    operators: Sequence[AnyOperator],
    after: Sequence[Sequence[int]],
    mixers: frozenset[int],
    count: Sequence[int],
) -> list[int]:
    """Number of the first mixer an operator leads to; one past the last where there is none."""
    end = max((count[m] for m in mixers), default=-1) + 1
    found = [end] * len(operators)
    for i in reversed(range(len(operators))):
        nexts = [count[j] if j in mixers else found[j] for j in after[i]]
        found[i] = min(nexts, default=end)
    return found


def _with_their_readers(
    operators: Sequence[AnyOperator], after: Sequence[Sequence[int]], numbers: list[int]
) -> list[int]:
    """A norm that feeds attention and a feed-forward block side by side belongs to their layer."""
    for i, op in enumerate(operators):
        match op:
            case Digital(kind="norm") if after[i]:
                layers = {numbers[j] for j in after[i]}
                readers = (operators[j] for j in after[i])
                if len(layers) == 1 and not any(isinstance(op, Digital) for op in readers):
                    numbers[i] = max(numbers[i], layers.pop())
            case Digital() | Dense() | Attention() | MoELayer():
                pass
            case _:
                assert_never(op)
    return numbers


def _mixers(
    operators: Sequence[AnyOperator],
    before: Sequence[Sequence[int]],
    after: Sequence[Sequence[int]],
    scales: Collection[int],
) -> frozenset[int]:
    """Attention, else sequence operators with a path around them, else the MoE layers."""
    mixers, layers = list[int](), list[int]()
    for i, op in enumerate(operators):
        match op:
            case Attention():
                mixers.append(i)
            case Digital():
                mixes = op.scope == "sequence" and i not in scales
                if mixes and _has_bypass(i, before, after):
                    mixers.append(i)
            case MoELayer():
                layers.append(i)
            case Dense():
                pass
            case _:
                assert_never(op)
    return frozenset(mixers or layers)


def _has_bypass(
    index: int, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> bool:
    """Whether something upstream of an operator reaches something downstream without it."""
    upstream = _closure(index, before)
    downstream = _closure(index, after)
    return any(j in downstream for i in upstream for j in after[i] if i != index)


def _closure(start: int, edges: Sequence[Sequence[int]]) -> set[int]:
    found: set[int] = set()
    todo = list(edges[start])
    while todo:
        i = todo.pop()
        if i not in found:
            found.add(i)
            todo.extend(edges[i])
    return found


def _only_through(
    operators: Sequence[AnyOperator], after: Sequence[Sequence[int]], mixers: frozenset[int]
) -> list[bool]:
    """Whether every way on from an operator meets a mixer, and all meet the same one first."""
    first: list[int | None] = [None] * len(operators)  # the mixer, -1 = the end or several
    for i in reversed(range(len(operators))):
        nexts = {j if j in mixers else first[j] for j in after[i]}
        only = nexts.pop() if len(nexts) == 1 else -1
        first[i] = -1 if only is None else only
    return [f is not None and f >= 0 for f in first]

"""Every grouping of a small layer, to hold the solvers and the bounds against."""

from collections.abc import Iterator


def partitions(experts: int, size: int, groups: int) -> Iterator[list[int]]:
    """Every way to number the experts 0..groups-1, at most `size` alike, up to renaming groups."""

    def extend(prefix: list[int]) -> Iterator[list[int]]:
        if len(prefix) == experts:
            yield prefix
            return
        for g in range(min(groups, max(prefix, default=-1) + 2)):
            if prefix.count(g) < size:
                yield from extend([*prefix, g])

    return extend([])

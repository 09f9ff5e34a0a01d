"""The open sizes of a chip, chosen for one program: bus, input buffers and return link.

Of each the smallest power of two after which twice as much buys less than `GAIN` of the time.
One after the other, in the order of `LARGEST`, while those not yet chosen are as large as they may
be, so that none is made large for want of another; then all together are doubled where that still
buys as much. Of a chip of several dies, which has to have room for them before there is a program,
they may be less large. Times are those of few list schedules
(`compiler.timeline.assemble.timed_ps`): their orders are some of many, so a step of a per cent may
be their own.
"""

from collections.abc import Callable, Mapping
from functools import cache

from ir.chip import Chip, Size
from ir.compiled import SizeChoice, SizeTry

GAIN = 0.01
LARGEST: Mapping[Size, int] = {
    "bus.transfers_per_slot": 64,
    "pg.input_buffers": 16,
    "bus.return_lanes": 64,
}
ON_DIES: Mapping[Size, int] = {  # what every region of a chip of several dies has room for
    "bus.transfers_per_slot": 32,
    "pg.input_buffers": 4,
    "bus.return_lanes": 2,
}


def choose_sizes(chip: Chip, time_ps: Callable[[Chip], int]) -> tuple[Chip, tuple[SizeChoice, ...]]:
    """The chip without open sizes, and what was chosen; `time_ps`: of the program on a chip."""
    search = _Search(chip, time_ps)
    for size in search.now:
        search.now[size] = 1
        search.grow(size)
    growing = True
    while growing:  # what was enough of one may not be after another has grown
        growing = sum(search.grow(size) for size in search.now) > 0
    return chip.closed(search.now), tuple(map(search.choice, search.now))


def with_largest_sizes(chip: Chip) -> Chip:
    """The chip with its open sizes as large as they may be."""
    return chip.closed(_largest(chip))


def _largest(chip: Chip) -> dict[Size, int]:
    """How large its open sizes may be."""
    most = LARGEST if chip.dies is None else ON_DIES
    return {size: value for size, value in most.items() if size in chip.open}


class _Search:
    """Where a search stands: the sizes now, and the times of all that was tried."""

    def __init__(self, chip: Chip, time_ps: Callable[[Chip], int]) -> None:
        self.now = _largest(chip)
        self.most = _largest(chip)
        self.tried: dict[Size, dict[int, int]] = {size: {} for size in self.now}
        names = tuple(self.now)
        self._time = cache(lambda sizes: time_ps(chip.closed(dict(zip(names, sizes, strict=True)))))

    def time(self, size: Size, value: int) -> int:
        """Time with another value of one size."""
        found = self._time(tuple({**self.now, size: value}.values()))
        self.tried[size][value] = found
        return int(found)

    def grow(self, size: Size) -> bool:
        """Double a size as long as it pays; say whether it did."""
        before = self.now[size]
        while 2 * self.now[size] <= self.most[size]:
            value = self.now[size]
            now, then = self.time(size, value), self.time(size, 2 * value)
            if now - then < GAIN * now:
                break
            self.now[size] = 2 * value
        return self.now[size] > before

    def choice(self, size: Size) -> SizeChoice:
        """What was chosen of a size, and the times by which: the last of each value."""
        tried = (SizeTry(value, ps) for value, ps in sorted(self.tried[size].items()))
        return SizeChoice(size, self.now[size], tuple(tried))

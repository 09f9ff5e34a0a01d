"""Open sizes of a chip: which value is kept, by hand, and that the program is the fixed chip's."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compiler.emit import emit
from compiler.sizing import choose_sizes, with_largest_sizes
from compiler.timeline import assemble
from compiler.timeline.assemble import timed_ps
from compiler.timeline.jobs import prepare
from compiler.timeline.list_schedule import list_schedule
from compiler.timeline.rules import RULES, with_turns
from ir.chip import SIZES, Chip, Dies, sizes_of
from tests.dies import LARGE, on_several
from tests.make import SMALL_CHIP, compile_small

OPEN = replace(SMALL_CHIP, open=SIZES)
BUS = replace(SMALL_CHIP, open=("bus.transfers_per_slot",))


def by_bus(times: dict[int, int]) -> Callable[[Chip], int]:
    """A time that hangs on the bus alone; from the widest in `times` on it stays."""
    return lambda chip: times[min(chip.bus.transfers_per_slot or 0, max(times))]


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        # 200 -> 100: half; 100 -> 99: 1 %, which still counts; 990 -> 981: 0.91 %
        ({1: 2000, 2: 1000, 4: 990, 8: 981}, 4),
        ({1: 1000, 2: 991}, 1),  # 0.9 %: the first is enough
        # what four times as much would buy is not asked: 2 -> 4 buys 0.7 %
        ({1: 2000, 2: 1500, 4: 1490, 8: 1000}, 2),
        ({1: 1000, 2: 1100, 4: 500}, 1),  # an order that got worse buys nothing
        ({2**n: 2**20 >> n for n in range(10)}, 64),  # always half as long: the largest
    ],
)
def test_the_smallest_after_which_twice_as_much_buys_less_than_a_hundredth(
    times: dict[int, int], kept: int
) -> None:
    chip, (choice,) = choose_sizes(BUS, by_bus(times))
    assert chip.bus.transfers_per_slot == choice.value == kept
    assert chip.open == ()
    assert [t.time_ps for t in choice.tried] == [
        times[min(t.value, max(times))] for t in choice.tried
    ]
    # the value kept and the one after it, unless there is none
    assert [t.value for t in choice.tried][-2:] == ([32, 64] if kept == 64 else [kept, 2 * kept])


def test_on_dies_sizes_stay_within_what_their_regions_have_room_for() -> None:
    """Twice as much always halves the time, so that each grows as far as it may."""

    def time_ps(chip: Chip) -> int:
        bus, lanes = chip.bus.transfers_per_slot or 1, chip.bus.return_lanes or 1
        return 10**9 // (bus * lanes * chip.pg.input_buffers)

    dies = on_several(OPEN, Dies(LARGE, count=2))
    for chip, most in ((OPEN, (64, 16, 64)), (dies, (32, 4, 2))):
        chosen, _ = choose_sizes(chip, time_ps)
        assert tuple(sizes_of(chosen).values()) == most
        assert sizes_of(with_largest_sizes(chip)) == sizes_of(chosen)


def test_no_size_is_made_large_for_want_of_another() -> None:
    """Time is 1200 over the least of bus and 4 x lanes, at least 100, and two buffers hide 50.

    With lanes enough the bus needs 16 (12 would do: 1200 / 12 = 100), then lanes 4 (4 x 3 = 12).
    A search from one lane would have stopped at a bus of 4, and never at the least of both.
    """

    def time_ps(chip: Chip) -> int:
        bus, lanes = chip.bus.transfers_per_slot or 0, chip.bus.return_lanes
        hidden = 0 if chip.pg.input_buffers > 1 else 50
        return max(1200 // min(bus, 4 * lanes), 100) + hidden

    chip, _ = choose_sizes(OPEN, time_ps)
    assert tuple(sizes_of(chip).values()) == (16, 2, 4)


def test_what_was_enough_for_one_grows_when_another_is_less() -> None:
    """Two lanes beside a bus of 1 give 101, four 100.5: two are kept, and then a bus of 2 pays."""

    def time_ps(chip: Chip) -> int:
        bus, lanes = chip.bus.transfers_per_slot or 0, chip.bus.return_lanes
        if lanes > 2:
            return 1000
        return {1: 1300, 2: 1009}[lanes] - (100 if bus > 1 else 0)

    chip, _ = choose_sizes(OPEN, time_ps)
    # with 64 lanes a wider bus buys nothing (1000); with the 2 that are kept it buys 9.9 %
    assert (chip.bus.transfers_per_slot, chip.bus.return_lanes) == (2, 2)


def test_fixed_numbers_are_left_alone() -> None:
    asked: list[Chip] = []

    def time_ps(chip: Chip) -> int:
        asked.append(chip)
        return 1000

    same, none = choose_sizes(SMALL_CHIP, time_ps)
    assert (same, none, asked) == (SMALL_CHIP, (), [])
    chip, (choice,) = choose_sizes(BUS, time_ps)
    assert chip.bus.transfers_per_slot == choice.value == 1
    assert {(c.pg.input_buffers, c.bus.return_lanes) for c in asked} == {(2, 0)}
    assert len(asked) == 2  # one transfer and two: nothing is timed twice


def test_the_program_is_that_of_the_chip_with_these_sizes() -> None:
    done = compile_small(chip=OPEN, tokens=12)
    assert done.chip.open == ()
    found = sizes_of(done.chip)
    assert {choice.size: choice.value for choice in done.sizes} == found
    fixed = compile_small(chip=SMALL_CHIP.closed({c.size: c.value for c in done.sizes}), tokens=12)
    assert fixed.chip == done.chip and fixed.sizes == ()
    assert np.array_equal(fixed.program.start_ps, done.program.start_ps)
    for choice in done.sizes:
        times = {tried.value: tried.time_ps for tried in choice.tried}
        # what is told of the value kept is the time of this program by the fewest list schedules,
        # which the program's own, the shortest of more, does not exceed
        drafted = emit(done.workload, done.mapping, done.schedule, done.chip, done.passed)
        assert times[choice.value] == timed_ps(*drafted, done.chip) >= done.program.makespan_ps
        # twice as much buys less than 1 %
        if 2 * choice.value in times:
            assert times[choice.value] - times[2 * choice.value] < 0.01 * times[choice.value]
    # the bus that was chosen is in the area, at its width: B d input bits in an MVM's 10 ns
    bits = (found["bus.transfers_per_slot"] or 0) * 20 * 8 * 1000 // 10_000
    assert done.program.inventory.bus_bits_per_ns == 2 * bits  # of both layers


def test_large_drafts_are_compared_by_one_list_schedule_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A draft above `MANY` by the first rule alone, which is slower here than the best of six."""
    done = compile_small(chip=OPEN, tokens=12)
    draft, units = emit(done.workload, done.mapping, done.schedule, done.chip, done.passed)
    best_of_six = timed_ps(draft, units, done.chip)
    monkeypatch.setattr(assemble, "MANY", len(draft))
    assert timed_ps(draft, units, done.chip) == best_of_six
    monkeypatch.setattr(assemble, "MANY", len(draft) - 1)
    jobs = prepare(draft, units.servers, done.chip.pg.input_buffers)
    alone = list_schedule(jobs, with_turns(jobs, RULES[0](jobs))).end_ps
    assert timed_ps(draft, units, done.chip) == alone > best_of_six

"""The loop of the local searches, on numbers of a few bits: a move flips one bit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.grouping.tabu import BARRED, Limits, best_of, walk
from compiler.grouping.watch import Watch
from ir.arrays import Bools, Ints

ALWAYS_TWO = (2, 3)  # a bit flipped in step s is held in steps s and s + 1


@dataclass(eq=False)
class Flips:
    bits: Ints

    def __len__(self) -> int:
        return len(self.bits)

    def touch(self, things: Bools) -> Bools:
        return things[self.bits]


class Number:
    """A number and the table of what each number costs."""

    def __init__(self, cost: list[int], patient: bool = False) -> None:
        self.cost, self.at, self.patient = np.array(cost), 0, patient
        self.things = (len(cost) - 1).bit_length()
        self.seen = [0]

    @property
    def value(self) -> int:
        return int(self.cost[self.at])

    def moves(self, random: np.random.Generator) -> Flips:
        return Flips(np.arange(self.things))

    def values(self, moves: Flips) -> Ints:
        found: Ints = self.cost[self.at ^ (1 << moves.bits)]
        return found

    def choose(self, moves: Flips, values: Ints) -> int | None:
        pick = int(values.argmin())
        return None if self.patient and values[pick] == BARRED else pick

    def make(self, moves: Flips, pick: int) -> Ints:
        self.at ^= 1 << int(moves.bits[pick])
        self.seen.append(self.at)
        return moves.bits[[pick]]


def steps_of(number: Number, limits: Limits, goal: int = 0) -> list[bool]:
    return list(walk(number, limits, np.random.default_rng(0), goal))


def test_it_leaves_a_local_optimum_by_what_is_held() -> None:
    # All neighbours of 0, which costs 5, cost more. It goes to 1, the least of them; back to 0
    # would cost 5, but bit 0 is held, so it goes on to 3, which costs 4: better than all before.
    number = Number([5, 6, 7, 4])
    assert steps_of(number, Limits(2, 9, ALWAYS_TWO)) == [False, True]
    assert number.seen == [0, 1, 3]


def test_what_is_held_moves_where_that_is_better_than_all_before() -> None:
    # 0, 1, 3 (costs 4, the best so far), 7: all three bits are held. From 7 bit 0 leads to 6: with
    # a cost of 3 it is taken all the same, with 4, no better, it is not.
    cost = [9, 5, 6, 4, 6, 8, 3, 8]
    long = Limits(4, 9, (4, 5))
    number = Number(cost, patient=True)
    assert steps_of(number, long) == [True, True, False, True]
    assert number.seen == [0, 1, 3, 7, 6]
    cost[6] = 4
    number = Number(cost, patient=True)
    assert steps_of(number, long) == [True, True, False, False]
    assert number.seen == [0, 1, 3, 7]


def test_all_held_it_takes_the_first_or_stays() -> None:
    # one bit, held after the first step: the only move leads back to 5, no better
    restless, patient = Number([5, 6]), Number([5, 6], patient=True)
    assert steps_of(restless, Limits(2, 9, ALWAYS_TWO)) == [False, False]
    assert steps_of(patient, Limits(2, 9, ALWAYS_TWO)) == [False, False]
    assert (restless.seen, patient.seen) == ([0, 1, 0], [0, 1])


def test_it_ends_at_its_goal_its_steps_its_patience_or_without_moves() -> None:
    cost = [5, 4, 7, 6]
    assert steps_of(Number(cost), Limits(9, 9, ALWAYS_TWO), goal=5) == []
    assert steps_of(Number(cost), Limits(9, 9, ALWAYS_TWO), goal=4) == [True]
    assert steps_of(Number(cost), Limits(3, 9, ALWAYS_TWO)) == [True, False, False]
    # the best of all in step 0, so with a patience of 1 step 1 is the last
    assert steps_of(Number(cost), Limits(9, 1, ALWAYS_TWO)) == [True, False]
    # the best of all in step 1, so step 2 is the last
    assert steps_of(Number([5, 6, 7, 4]), Limits(9, 1, ALWAYS_TWO)) == [False, True, False]
    assert steps_of(Number([5]), Limits(9, 9, ALWAYS_TWO)) == []


def test_ctrl_c_keeps_the_best_so_far() -> None:
    def answers() -> Iterator[tuple[str, int]]:
        yield "good", 7
        yield "better", 5
        raise KeyboardInterrupt

    watch = Watch()
    assert best_of(answers(), "start", watch) == "better"
    assert watch.interrupted
    assert [value for _, value in watch.progress] == [7, 5]


def test_without_a_better_answer_the_start_remains() -> None:
    watch = Watch()
    assert best_of(iter(()), "start", watch) == "start"
    assert not watch.interrupted

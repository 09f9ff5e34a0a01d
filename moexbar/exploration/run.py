"""Points carried out: what they need is found first, shared groups once, then their figures."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ir.errors import InputError, MoexbarError, RuntimeLostError
from ir.mapping import LayerGrouping
from moexbar import __version__
from moexbar.exploration.crew import DIED, Call, Died, carried_out
from moexbar.exploration.journal import Journal
from moexbar.exploration.prepare import Prepared, Preparing
from moexbar.exploration.sweep import Settings, Sweep
from moexbar.exploration.team import Team
from moexbar.exploration.words import command_of, line_of
from moexbar.exploration.work import Outcome, failed, groups_of, keys_of, outcome_of
from moexbar.progress import Progress

TOGETHER = 4  # layers that are grouped in one call
Points = Mapping[int, Settings]


@dataclass(eq=False)
class Run:
    """A sweep under way: its journal, who works, and what is known of its points' groups.

    groups: by key; needs: {point: keys}; lost: keys whose worker died twice.
    """

    sweep: Sweep
    kept: Journal
    preparing: Preparing
    team: Team
    progress: Progress
    groups: dict[str, LayerGrouping] = field(default_factory=dict)
    needs: dict[int, tuple[str, ...]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def points(self, points: Points) -> None:
        """Carry out points that are not done yet; what becomes of each is in the journal."""
        self.groups = self.groups or self.kept.groups()
        left = self._planned(points)
        self._grouped(left)
        self._done(left)

    def _planned(self, points: Points) -> Points:
        """The points that can begin, with the keys of their groups noted."""
        calls = self._calls(points, lambda number, ready: (keys_of, (ready, __version__)))
        with self._told("planning", len(points)) as step:
            for call, keys in carried_out(self.team, calls):
                if isinstance(keys, Died):
                    self._fail(call.tag, points[call.tag], DIED, call.deaths + 1)
                else:
                    self.needs[call.tag] = keys
                step()
        return {number: points[number] for number in sorted(self.needs.keys() & points.keys())}

    def _grouped(self, points: Points) -> None:
        """Find the groups that are not known, each once, whoever needs them."""
        wanted: dict[int, list[tuple[str, ...]]] = {}
        claimed = set(self.groups)
        for number in points:
            fresh = [key for key in dict.fromkeys(self.needs[number]) if key not in claimed]
            claimed.update(fresh)
            parts = [tuple(fresh[n : n + TOGETHER]) for n in range(0, len(fresh), TOGETHER)]
            wanted |= {number: parts} if parts else {}

        def calls() -> Iterator[Call[tuple[str, ...]]]:
            for number, parts in wanted.items():
                ready = self._ready(points[number])
                for keys in parts:
                    yield Call(keys, groups_of, (ready, keys))

        with self._told("grouping", sum(map(len, wanted.values()))) as step:
            for call, found in carried_out(self.team, calls()):
                if isinstance(found, Died):
                    self.lost.update(call.tag)
                else:
                    self.kept.add_groups(found)
                    self.groups |= found
                step()

    def _done(self, points: Points) -> None:
        """The figures of every point."""

        def figures(number: int, ready: Prepared) -> tuple[Any, tuple[Any, ...]]:
            known = {key: self.groups[key] for key in self.needs[number] if key in self.groups}
            return outcome_of, (ready, known, self.sweep.figures, self.sweep.gains)

        for number in [n for n in points if self.lost & {*self.needs[n]}]:
            self._fail(number, points[number], DIED, 2)
        left = {n: point for n, point in points.items() if not self.lost & {*self.needs[n]}}
        with self._told("points", len(left)) as step:
            for call, outcome in carried_out(self.team, self._calls(left, figures)):
                number, attempts = call.tag, call.deaths + 1
                if isinstance(outcome, Died):
                    self._fail(number, points[number], DIED, attempts)
                else:
                    self._keep(number, points[number], outcome, attempts)
                step()

    def _calls(self, points: Points, what: Any) -> Iterator[Call[int]]:
        """A call for each point that can be prepared; the others are failed."""
        for number, point in points.items():
            try:
                ready = self._ready(point)
            except RuntimeLostError:
                raise  # which says nothing about the point: the sweep is to be gone on with
            except MoexbarError as error:
                self._fail(number, point, str(error), 1)
                continue
            function, words = what(number, ready)
            yield Call(number, function, words)

    def _ready(self, point: Settings) -> Prepared:
        return self.preparing.point(line_of(self.sweep.of(point), "compile"))

    def _fail(self, number: int, point: Settings, reason: str, attempts: int) -> None:
        self._keep(number, point, failed(reason), attempts)

    def _keep(self, number: int, point: Settings, outcome: Outcome, attempts: int) -> None:
        command = command_of(self.sweep.of(point), number)
        self.kept.add(number, point, command, outcome, attempts)

    @contextmanager
    def _told(self, work: str, steps: int) -> Iterator[Any]:
        """Progress of a piece of work, with the time that is left of it."""
        if not steps:
            yield lambda: None
            return
        begun, done = time.monotonic(), 0

        def step() -> None:
            nonlocal done
            done += 1
            left = (time.monotonic() - begun) / done * (steps - done)
            self.progress.step(f"{done} of {steps} done, {_time(left)} left")

        self.progress.begin(work, steps)
        try:
            yield step
        finally:
            self.progress.end()


def _time(seconds: float) -> str:
    """A time as one says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def undone(points: Iterable[Settings], kept: Journal) -> dict[int, Settings]:
    """{number: point} of those that the journal does not have; numbers count from 1."""
    done = kept.attempts()
    numbered = enumerate(points, start=1)
    return {number: point for number, point in numbered if number not in done}


def refuse_other_points(where: str, points: Sequence[Settings], kept: Journal) -> None:
    """InputError where a search comes to other points than its journal has."""
    for number, point, _, _ in kept.outcomes():
        if number <= len(points) and dict(point) != dict(points[number - 1]):
            problem = f"point {number}: another one than before the interruption"
            raise InputError(where, problem, "begin anew in another folder")

"""Calls carried out by a team whose members may die: replaced, tried once more, told.

Where processes of a pool die, every call that was begun is lost, and nobody knows whose fault it
was. So each of them is then tried alone: one that its worker dies of alone is the cause.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ir.errors import InputError
from moexbar.exploration.team import Team

Tag = TypeVar("Tag")
DIED = "the process that worked on it died, and again when it was tried once more"
AHEAD = 2  # calls begun for each member, so that none waits for the next


@dataclass(frozen=True, eq=False)
class Call(Generic[Tag]):
    """A call, whose it is, and how often its worker has died."""

    tag: Tag
    function: Callable[..., Any]
    words: tuple[Any, ...]
    deaths: int = 0


@dataclass(frozen=True)
class Died:
    """In place of a result: a call that its worker died of twice."""


def carried_out(team: Team, calls: Iterable[Call[Tag]]) -> Iterator[tuple[Call[Tag], Any]]:
    """(call, result) of every call as it ends, or `Died` for its result.

    Raises what a call raises, and InputError where the whole team is gone.
    """
    waiting, suspects = iter(calls), deque[Call[Tag]]()
    running: dict[Future[Any], Call[Tag]] = {}
    while True:
        for call in _next(suspects, waiting, len(running), team.size * AHEAD):
            try:
                running[team.submit(call.function, *call.words)] = call
            except team.died:  # a process that died before the call was begun
                suspects.append(call)
                if not running:
                    team.renew()
                break
        if not running and not suspects:
            return
        done, _ = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
        lost = False
        for future in done:
            call = running.pop(future)
            try:
                result = future.result()
            except team.died:
                lost |= team.together
                if call.deaths or not team.together:
                    yield call, Died()
                else:
                    suspects.append(replace(call, deaths=1))
            except CancelledError as error:  # of a future that nobody of us cancelled
                gone = "whoever did the work is gone", "--resume goes on with what is done"
                raise InputError("explore", *gone) from error
            else:
                yield call, result
        if lost:
            suspects.extend(replace(call, deaths=1) for call in running.values())
            running.clear()
            team.renew()


def _next(
    suspects: deque[Call[Tag]], waiting: Iterator[Call[Tag]], running: int, room: int
) -> Iterator[Call[Tag]]:
    """The calls to begin now: a suspect alone, else as many as there is room for."""
    if suspects:
        if not running:
            yield suspects.popleft()
        return
    for _ in range(room - running):
        call = next(waiting, None)
        if call is None:
            return
        yield call

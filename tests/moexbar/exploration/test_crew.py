"""Calls of a team whose members die: who is tried again, and who is told."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from ir.errors import InputError
from moexbar.exploration.crew import Call, Died, carried_out


class Fragile:
    """A pool that all is lost with when a call kills it, as that of concurrent.futures.

    kills: how often each call still does. Calls are carried out when the next is waited for.
    """

    def __init__(self, size: int, kills: dict[str, int], together: bool = True) -> None:
        self.size, self.together, self.kills = size, together, kills
        self.died = (BrokenProcessPool,)
        self.begun, self.renewed, self.broken = list[str](), 0, False

    def submit(self, call: Callable[..., Any], *words: Any) -> "Future[Any]":
        if self.broken:
            raise BrokenProcessPool
        (name,) = words
        self.begun.append(name)
        future: Future[Any] = Future()
        if self.kills.get(name, 0):
            self.kills[name] -= 1
            self.broken = self.together
            future.set_exception(BrokenProcessPool())
        else:
            try:
                future.set_result(call(name))
            except ArithmeticError as error:
                future.set_exception(error)
        return future

    def renew(self) -> None:
        self.renewed, self.broken = self.renewed + 1, False

    def stop(self) -> None:
        pass


def run(team: Fragile, names: str) -> dict[str, Any]:
    calls: Iterator[Call[str]] = (Call(name, str.upper, (name,)) for name in names)
    return {call.tag: result for call, result in carried_out(team, calls)}


def test_all_is_done_once_where_nobody_dies() -> None:
    team = Fragile(2, {})
    assert run(team, "abcdef") == dict(zip("abcdef", "ABCDEF", strict=True))
    assert team.begun == [*"abcdef"]
    assert team.renewed == 0
    assert run(team, "") == {}


def test_one_that_dies_once_is_done_in_the_end() -> None:
    team = Fragile(2, {"c": 1})
    assert run(team, "abcdef") == dict(zip("abcdef", "ABCDEF", strict=True))
    assert team.begun.count("c") == 2
    assert team.renewed >= 1


def test_one_that_dies_twice_is_told_and_the_others_are_done() -> None:
    team = Fragile(2, {"c": 9})
    found = run(team, "abcdef")
    assert found.pop("c") == Died()
    assert found == dict(zip("abdef", "ABDEF", strict=True))
    assert team.begun.count("c") == 2


def test_killers_are_told_apart() -> None:
    found = run(Fragile(3, {"a": 9, "b": 9, "e": 1}), "abcdefg")
    assert [name for name, result in found.items() if result == Died()] == ["a", "b"]
    assert len(found) == 7


def test_where_others_try_again_a_death_is_final() -> None:
    team = Fragile(2, {"c": 9}, together=False)
    assert run(team, "abcd")["c"] == Died()
    assert team.begun.count("c") == 1
    assert team.renewed == 0


def test_errors_of_a_call_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(carried_out(Fragile(1, {}), [Call("a", lambda _: 1 // 0, ("a",))]))


def test_a_team_that_is_gone_is_an_error() -> None:
    class Gone(Fragile):
        def submit(self, call: Callable[..., Any], *words: Any) -> "Future[Any]":
            future: Future[Any] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(InputError, match="is gone; --resume goes on"):
        run(Gone(1, {}), "a")

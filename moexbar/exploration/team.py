"""Who does the work: processes of this machine, or whatever else takes calls and gives futures."""

import signal
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from compiler.workers import Workers
from ir.undisturbed import SIGNALS

Answer = TypeVar("Answer")


class Team(Protocol):
    """Takes calls, each of which one of its members carries out."""

    @property
    def size(self) -> int:
        """Calls at a time."""

    @property
    def died(self) -> tuple[type[BaseException], ...]:
        """What a future raises whose member died."""

    @property
    def together(self) -> bool:
        """Whether all that was begun is lost with a member; else its call was tried again."""

    def submit(self, call: Callable[..., Answer], *words: Any) -> "Future[Answer]":
        """Begin a call."""

    def renew(self) -> None:
        """Replace members that died; what else was begun is lost."""

    def stop(self) -> None:
        """End all members now, whatever they are at."""


class Processes(Workers):
    """Processes of this machine; they end with this one, however it ends."""

    together = True

    def __init__(self, size: int) -> None:
        """None is started before the first call."""
        super().__init__(size, _ready)
        self.died: tuple[type[BaseException], ...] = (_broken(),)

    def renew(self) -> None:
        """End what is left of the processes; the next call starts new ones."""
        self.stop()


def _broken() -> type[BaseException]:
    from concurrent.futures.process import BrokenProcessPool

    return BrokenProcessPool


def _ready() -> None:
    """Signals are for the process that started this one; where that has ended, so does this one."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)

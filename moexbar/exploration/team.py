"""Who does the work: processes of this machine, or whatever else takes calls and gives futures."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Protocol, TypeVar

from compiler.grouping.parallel import one_thread_each

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


class Processes:
    """Processes of this machine, each on one thread; they end with this one, however it ends."""

    def __init__(self, size: int) -> None:
        """None is started before the first call."""
        self.size, self.together = size, True
        self.died: tuple[type[BaseException], ...] = (_broken(),)
        self._pool: ProcessPoolExecutor | None = None
        self._others = set(multiprocessing.active_children())

    def submit(self, call: Callable[..., Answer], *words: Any) -> "Future[Answer]":
        """Begin a call."""
        if self._pool is None:
            # spawn: a fork would copy a process in which solver threads may be running
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.size, mp_context=context, initializer=_begin)
        with one_thread_each():  # a call may start a process
            return self._pool.submit(call, *words)

    def renew(self) -> None:
        """End what is left of the processes; the next call starts new ones."""
        self.stop()

    def stop(self) -> None:
        """End all processes now."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        for child in set(multiprocessing.active_children()) - self._others:
            child.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _broken() -> type[BaseException]:
    from concurrent.futures.process import BrokenProcessPool

    return BrokenProcessPool


def _begin() -> None:
    """Ctrl-C is for the process that started this one; where that has ended, so does this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

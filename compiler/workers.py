"""Processes of this machine that work for this one: begun out of reach of signals, gone with it.

A process that gets Ctrl-C while it still imports dies with a traceback, and a pool that gets one
while it starts a process may wait for ever. So both signals wait until a process is ready for them.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from ir.undisturbed import SIGNALS, undisturbed

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of matrix products in a process
Answer = TypeVar("Answer")
_FOUND_S = 1.0  # in which a pool's thread finds that its processes are dead


class Workers:
    """So many processes, each on one thread; none is started before the first call."""

    def __init__(self, size: int, ready: Callable[[], None]) -> None:
        """ready: called in a process before its first call: says what it does on a signal."""
        self.size, self._ready = size, ready
        self._pool: ProcessPoolExecutor | None = None
        self._others = set(multiprocessing.active_children())

    def submit(self, call: Callable[..., Answer], *words: Any) -> "Future[Answer]":
        """Begin a call, which may start a process."""
        with _beginning():
            if self._pool is None:
                # spawn: a fork would copy a process in which solver threads may be running
                context = multiprocessing.get_context("spawn")
                first = _begin, (self._ready,)
                self._pool = ProcessPoolExecutor(self.size, context, *first)
            return self._pool.submit(call, *words)

    def tell(self, number: int) -> None:
        """Send all a signal: a terminal does so too, `kill` does not."""
        for child in self._mine():
            if child.pid is not None:
                os.kill(child.pid, number)

    def stop(self) -> None:
        """End all now, whatever they are at; the next call starts new ones."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        for child in self._mine():
            child.kill()
        _await_its_thread(pool)
        pool.shutdown(wait=True, cancel_futures=True)

    def _mine(self) -> set[Any]:
        return set(multiprocessing.active_children()) - self._others


def _await_its_thread(pool: ProcessPoolExecutor) -> None:
    """Let the thread of a pool find its processes dead, before `shutdown` has it wait for them.

    It may be writing a call that nobody reads (cpython 94777): then it needs a push.
    """
    thread: Any = getattr(pool, "_executor_manager_thread", None)
    if thread is None:
        return
    thread.join(_FOUND_S)
    calls: Any = getattr(pool, "_call_queue", None)
    if thread.is_alive() and calls is not None:
        calls._reader.close()


@contextmanager
def _beginning() -> Iterator[None]:
    """A process begun meanwhile holds signals back until it is ready, and has few threads."""
    resource_tracker.ensure_running()  # which would let signals through
    with undisturbed(), one_thread_each():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes begun meanwhile multiply on one thread each: more would wait for each other."""
    unset = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))
    try:
        yield
    finally:
        for name in unset:
            del os.environ[name]


def _begin(ready: Callable[[], None]) -> None:
    ready()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Many layers or solvers at once, in processes; Ctrl-C ends all and keeps the best so far."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from compiler.grouping import REPLICATING, Job, LayerAnswer, solve_at_once, solve_layer

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of matrix products in a process


@dataclass(frozen=True, eq=False)
class Answers:
    """One answer per job in their order, None for a job that Ctrl-C came before."""

    answers: tuple[LayerAnswer | None, ...]
    interrupted: bool


def solve_jobs(
    jobs: Sequence[Job], processes: int = 1, report: Callable[[str], None] = lambda _: None
) -> Answers:
    """Solve every job; the answers do not depend on the number of processes.

    A process takes longer to start than a rule to group a layer, or a few experts to be grouped, so
    processes are for searches. `report` is told the layer of each job as it ends. Errors of a job
    are raised here.
    """
    if processes == 1 or sum(_searches(job) for job in jobs) < 2:
        return _one_by_one(jobs, report)
    at_once = _at_once(jobs, report)
    left = [n for n, answer in enumerate(at_once.answers) if answer is None]
    if at_once.interrupted or not left:
        return at_once
    rest = [jobs[n] for n in left]
    last = _one_by_one(rest, report) if len(rest) == 1 else _in_processes(rest, processes, report)
    answers = list(at_once.answers)
    for n, answer in zip(left, last.answers, strict=True):
        answers[n] = answer
    return Answers(tuple(answers), last.interrupted)


def _searches(job: Job) -> bool:
    return job.options.solver in REPLICATING


def _at_once(jobs: Sequence[Job], report: Callable[[str], None]) -> Answers:
    """The answers that need no process, None for the others."""
    answers: list[LayerAnswer | None] = [None] * len(jobs)
    try:
        for n, job in enumerate(jobs):
            answers[n] = solve_at_once(job)
            if answers[n] is not None:
                report(f"layer {job.layer}")
    except KeyboardInterrupt:
        return Answers(tuple(answers), interrupted=True)
    return Answers(tuple(answers), interrupted=False)


def _in_processes(jobs: Sequence[Job], processes: int, report: Callable[[str], None]) -> Answers:
    """Solve every job, so many at a time."""
    # spawn: a fork would copy a process in which solver threads may be running
    context = multiprocessing.get_context("spawn")
    with (
        one_thread_each(),
        ProcessPoolExecutor(processes, mp_context=context, initializer=_listen) as pool,
    ):
        futures: dict[Future[LayerAnswer | None], Job] = {}
        interrupted = False
        try:
            for job in jobs:  # the first starts the processes, which takes a while
                futures[pool.submit(_solve, job)] = job
            for future in as_completed(futures):
                future.result()
                report(f"layer {futures[future].layer}")
        except KeyboardInterrupt:
            interrupted = True
            _interrupt_children()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    # a worker interrupted before it listens dies and takes unfinished answers with it
    done = [f.done() and not f.cancelled() and f.exception() is None for f in futures]
    answers = [f.result() if ok else None for f, ok in zip(futures, done, strict=True)]
    answers += [None] * (len(jobs) - len(answers))
    return Answers(tuple(answers), interrupted)


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


def _interrupt_children() -> None:
    """Pass Ctrl-C on: a terminal sends it to all, `kill` only to us."""
    for child in multiprocessing.active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGINT)


def _one_by_one(jobs: Sequence[Job], report: Callable[[str], None]) -> Answers:
    answers: list[LayerAnswer | None] = [None] * len(jobs)
    try:
        for n, job in enumerate(jobs):
            answers[n] = answer = solve_layer(job)
            if answer.found.interrupted:
                return Answers(tuple(answers), interrupted=True)
            report(f"layer {job.layer}")
    except KeyboardInterrupt:
        return Answers(tuple(answers), interrupted=True)
    return Answers(tuple(answers), interrupted=False)


class _Worker:
    """State of a worker process: an idle one must not die of Ctrl-C, its pool would break."""

    busy = False
    stopped = False


def _listen() -> None:
    """Take Ctrl-C once while a job runs; after it, take no more jobs."""

    def handle(number: int, frame: FrameType | None) -> None:
        first, _Worker.stopped = not _Worker.stopped, True
        if first and _Worker.busy:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)


def _solve(job: Job) -> LayerAnswer | None:
    if _Worker.stopped:
        return None
    _Worker.busy = True
    try:
        return solve_layer(job)
    except KeyboardInterrupt:
        return None
    finally:
        _Worker.busy = False

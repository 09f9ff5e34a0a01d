"""Many layers or solvers at once, in processes; Ctrl-C ends all and keeps the best so far."""

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed, wait
from dataclasses import dataclass

from compiler.grouping import REPLICATING, Job, LayerAnswer, solve_at_once, solve_layer
from compiler.workers import Workers
from ir.undisturbed import SIGNALS, Once, undisturbed

HAND_IN_S = 2.0  # for what a search has found until Ctrl-C
BEGIN_S = 1.0  # for the answers of searches that have not begun


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
    workers, interrupted = Workers(processes, _listen), False
    futures: dict[Future[LayerAnswer | None], Job] = {}
    try:
        for job in jobs:
            futures[workers.submit(_solve, job)] = job
        for future in as_completed(futures):
            future.result()
            report(f"layer {futures[future].layer}")
    except KeyboardInterrupt:
        interrupted = True
        workers.tell(signal.SIGINT)
        wait(futures, timeout=HAND_IN_S)
    finally:
        with undisturbed():
            workers.stop()
    # a worker that was ended at work takes what it had with it
    done = [f.done() and not f.cancelled() and f.exception() is None for f in futures]
    answers = [f.result() if ok else None for f, ok in zip(futures, done, strict=True)]
    answers += [None] * (len(jobs) - len(answers))
    return Answers(tuple(answers), interrupted)


def completed(jobs: Sequence[Job], found: Answers) -> Answers:
    """Where Ctrl-C came before a job's answer, the one that its search would have begun with."""
    answers, end = list(found.answers), time.monotonic() + BEGIN_S
    for n, job in enumerate(jobs):
        if answers[n] is None and time.monotonic() < end:
            answers[n] = solve_layer(job, begin=True)
    return Answers(tuple(answers), found.interrupted)


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


class _Worker(Once):
    """What a worker process does on a signal: an idle one must not die of it, or its pool breaks.

    busy: whether a job runs.
    """

    busy = False

    def heard(self) -> bool:
        """Only a job is interrupted; after it, no more is taken."""
        return self.busy


_WORKER = _Worker()


def _listen() -> None:
    _WORKER.listen(*SIGNALS)


def _solve(job: Job) -> LayerAnswer | None:
    if _WORKER.number:
        return None
    _WORKER.busy = True
    try:
        return solve_layer(job)
    except KeyboardInterrupt:
        return None
    finally:
        _WORKER.busy = False

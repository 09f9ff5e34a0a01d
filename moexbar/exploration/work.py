"""What a worker does: which groups a point needs, these groups, and the figures of a point.

Everything comes by value and goes back by value: a worker has no files of the sweep.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from compiler.grouping import Job
from compiler.partition import partition
from compiler.pipeline import grouping_jobs
from compiler.stages import group_layers
from compiler.trace import routing_matrices
from ir.errors import InputError, MoexbarError
from ir.mapping import Grouping, LayerGrouping
from moexbar import __version__
from moexbar.case import Case, Read, carry_out
from moexbar.exploration.figures import Told, Value, figures_of
from moexbar.exploration.kept import Answers, Recent, group_key, kept_stages
from moexbar.exploration.prepare import Prepared
from moexbar.report.executed import Skipped

Status = Literal["done", "failed"]
MOST_READ = 4  # models with their routing that a process keeps
_READ, _ANSWERS = Recent[Read](MOST_READ), Answers()
NOT_EXECUTED = Skipped("--no-verify")


@dataclass(frozen=True)
class Outcome:
    """What became of a point: its figures, or why it has none; and what that took.

    seconds: of the worker; cpu_s: of its processor.
    """

    status: Status
    reason: str
    figures: Mapping[str, Value]
    seconds: float
    cpu_s: float


def failed(reason: str, seconds: float = 0.0, cpu_s: float = 0.0) -> Outcome:
    """A point without figures, and why."""
    return Outcome("failed", " ".join(reason.split()), {}, seconds, cpu_s)


def keys_of(point: Prepared, version: str) -> tuple[str, ...]:
    """The keys of the groups that a point needs, by its own method; none where it cannot begin."""
    _check_version(version)
    try:
        return tuple(key for key, _ in jobs_of(case_of(point)))
    except MoexbarError:
        return ()  # as its figures will say


def groups_of(point: Prepared, keys: Sequence[str]) -> dict[str, LayerGrouping]:
    """Those of a point's groups that have the keys; none where the chip is too small for them."""
    jobs = [(key, job) for key, job in jobs_of(case_of(point)) if key in keys]
    try:
        found = group_layers([job for _, job in jobs], 1)
    except MoexbarError:
        return {}  # as its figures will say
    return {key: layer for (key, _), layer in zip(jobs, found, strict=True)}


def outcome_of(
    point: Prepared, groups: Mapping[str, LayerGrouping], paths: Sequence[str], gains: bool
) -> Outcome:
    """The figures of a point, or the reason why it has none."""
    begun, cpu = time.perf_counter(), time.process_time()
    try:
        done = carry_out(case_of(point), stages=kept_stages(groups, _ANSWERS))
        told = Told(done.report(NOT_EXECUTED), done.ours.compiled)
        status: Status = "done"
        reason, figures = "", figures_of(told, paths, gains=gains)
    except MoexbarError as error:
        status, reason, figures = "failed", str(error), {}
    except MemoryError:
        status, reason, figures = "failed", "out of memory", {}
    except Exception as error:
        status, reason, figures = "failed", f"internal error: {type(error).__name__}: {error}", {}
    took = time.perf_counter() - begun, time.process_time() - cpu
    return Outcome(status, " ".join(reason.split()), figures, *took)


def case_of(point: Prepared) -> Case:
    """The point as it is compiled; what is read of it is unpacked once."""
    return Case(_READ.get(point.sent.key, point.sent.read), point.chip, point.asked)


def jobs_of(case: Case) -> list[tuple[str, Job]]:
    """(key, job) of every MoE layer whose groups are to be decided."""
    if isinstance(case.asked.grouping, Grouping):
        return []
    workload, read = case.workload, case.read
    traced, blocks = routing_matrices(workload, read.trace), partition(workload, case.chip)
    options = case.options(workload)
    jobs = grouping_jobs(workload, blocks, traced, read.trace, case.chip, options)
    return [(group_key(job), job) for job in jobs]


def _check_version(version: str) -> None:
    """InputError where the worker is of another version than who sent the work."""
    if version != __version__:
        raise InputError(
            "worker", f"moexbar {__version__}, expected {version}", "install the same on all"
        )
